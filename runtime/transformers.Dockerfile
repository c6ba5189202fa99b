FROM public.ecr.aws/lambda/python:3.14-arm64
COPY requirements.txt .
# For arm64 the torch on PyPI is the CPU build.
RUN pip install --no-cache-dir -r requirements.txt
COPY triage triage
COPY runtime runtime
ENV HF_HUB_OFFLINE=1
CMD ["runtime.model_inference.handler"]
