# The flashsale binary in a small image, run by an unprivileged user.
FROM node:20-bookworm-slim AS page
WORKDIR /src
COPY web .
RUN npm ci --ignore-scripts && npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=page /src/dist web/dist
RUN cargo build --locked --release -p flashsale --bin flashsale

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/flashsale /usr/local/bin/flashsale
ENV BIND_ADDR=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/flashsale"]
CMD ["api"]
