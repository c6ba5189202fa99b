"""Look for known vulnerabilities in every locked package, and write what the product is made of into build/sbom.

It needs the databases of the package indexes, so it runs in GitHub Actions. Fails where a vulnerability is found.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "sbom"
PROGRAMS = Path(sys.executable).parent
LOCKS = ("requirements.lock", "requirements-cuda.lock", "requirements-dev.lock")
"""torch is the same version in the lock for processors, where its local version is in no database."""


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = [name for name, command in checks().items() if _run(command, FOLDER / name) != 0]
    for name in failed:
        print(f"{name}: a package has a known vulnerability, or could not be checked; see above", file=sys.stderr)
    return 1 if failed else 0


def checks() -> dict[str, list[str]]:
    """Return the command that writes each file. The SBOMs are CycloneDX."""
    audit = [str(PROGRAMS / "pip-audit"), "--require-hashes", "--disable-pip", "--format=cyclonedx-json"]
    return {
        **{f"{lock.removesuffix('.lock')}.json": [*audit, f"--requirement={lock}"] for lock in LOCKS},
        "node.json": ["npm", "sbom", "--sbom-format=cyclonedx", "--package-lock-only"],
        "node-audit.json": ["npm", "audit", "--audit-level=low", "--package-lock-only", "--json"],
    }


def _run(command: list[str], file: Path) -> int:
    with file.open("w") as output:
        return subprocess.run(command, cwd=ROOT, stdout=output, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
