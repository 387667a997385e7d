# Our image with Go and pip beside it, for the service `sandbox-setup` alone: it builds Pulumi's programs and our own
# provider from pinned modules, and fetches their wheels by digest, before it builds the sandbox's images.
ARG BANKSMAN_IMAGE=banksman:0.1.0
ARG GO_IMAGE=golang:1.25.4-bookworm

FROM ${GO_IMAGE} AS go

FROM ${BANKSMAN_IMAGE}
USER 0:0
COPY --from=go /usr/local/go /usr/local/go
RUN ["python", "-m", "ensurepip"]
# No other toolchain than this one is fetched, whatever a module asks for.
ENV PATH=/opt/banksman/bin:/usr/local/go/bin:/usr/bin:/bin GOTOOLCHAIN=local
USER 10001:10001
