# syntax=docker/dockerfile:1
# The flashsale binary in a small image: no shell, no package manager, run by an unprivileged user.
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" --tag flashsale .

FROM node:20.20-bookworm-slim AS page
WORKDIR /src/web
# By itself: the packages are installed again only when their lock file has changed.
COPY web/package.json web/package-lock.json web/.npmrc ./
# Their install scripts are not needed; nothing of theirs runs before the page is built.
RUN --mount=type=cache,target=/npm npm ci --cache /npm --ignore-scripts --no-audit --no-fund
COPY web ./
RUN npm run build

FROM rust:1.95.0-slim-bookworm AS build
# The image's own toolchain is the one rust-toolchain.toml names; rustfmt and clippy, which that file adds, are not needed.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
COPY --from=page /src/web/dist web/dist
# What is in a cache is not in the image: the binary is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --release -p flashsale --bin flashsale \
    && install -D --strip target/release/flashsale /out/flashsale

# glibc, libgcc and the certificate authorities. Its tags carry no version, and are built anew when Debian mends something: who
# wants the same image every time pins its digest here.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="flashsale" \
      org.opencontainers.image.description="A flash-sale engine: axum, PostgreSQL with pgmq, Redis as a pre-filter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build /out/flashsale /usr/local/bin/flashsale
ENV BIND_ADDR=0.0.0.0:8080 \
    LOG_FORMAT=json
EXPOSE 8080
# Numeric, so that Kubernetes can see that it is not root.
USER 65532:65532
# The binary asks its own /healthz: there is no curl here.
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --start-interval=1s --retries=3 \
    CMD ["/usr/local/bin/flashsale", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/flashsale"]
CMD ["api"]
