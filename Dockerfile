# One image for every process of Banksman; docker-compose.yml says which one a container is.
#
# The base is pinned by tag. For a release pin it by digest, too; `docker buildx imagetools inspect python:TAG` prints it:
#   docker build --build-arg PYTHON_IMAGE=python:3.12.12-slim-bookworm@sha256:… .
ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=0
WORKDIR /build
RUN python -m venv /opt/banksman && python -m venv /opt/build
COPY requirements.lock deploy/compose/select_lock.py ./
# Dependencies before sources: they change seldom. Only hashed wheels: nothing is compiled, nothing runs while installing.
RUN python select_lock.py requirements.lock > runtime.lock \
 && python select_lock.py requirements.lock --root hatchling > build.lock \
 && /opt/banksman/bin/pip install --require-hashes --only-binary :all: --requirement runtime.lock \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: --requirement build.lock
COPY pyproject.toml README.md LICENSE ./
COPY activities activities
COPY connectors connectors
COPY deploy deploy
COPY hitl hitl
COPY observability observability
COPY sandbox sandbox
COPY workers workers
COPY workflows workflows
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/banksman/bin/pip install --no-deps --no-index dist/*.whl \
 && /opt/banksman/bin/pip uninstall --yes pip

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="banksman" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="A durable, autonomous DevOps agent"
RUN groupadd --gid 10001 banksman \
 && useradd --uid 10001 --gid banksman --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin banksman \
 && install --directory --owner banksman --group banksman --mode 0700 \
      /var/lib/banksman /var/lib/banksman/audit /var/lib/banksman/artifacts /var/lib/banksman/images \
      /run/banksman /run/banksman/deliverer
COPY --from=build /opt/banksman /opt/banksman
ENV PATH=/opt/banksman/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/banksman
USER 10001:10001
EXPOSE 9464
# Any path of the metrics server answers, as long as the process lives.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/metrics', timeout=4)"]
ENTRYPOINT ["banksman"]
CMD ["--help"]
