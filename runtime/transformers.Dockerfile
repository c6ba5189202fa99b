FROM public.ecr.aws/lambda/python:3.14-arm64@sha256:84344aec27870adf6559bd984c5a5dbbc5112fd1b993457cd834f518e387bbd8
COPY requirements.lock .
# With bytecode: nothing can be written on Lambda, so that Python would compile torch anew at every cold start.
RUN pip install --no-cache-dir --only-binary=:all: --require-hashes -r requirements.lock
COPY triage triage
COPY runtime runtime
ENV HF_HUB_OFFLINE=1
CMD ["runtime.model_inference.handler"]
