# The flashsale binary in a small image, run by an unprivileged user.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release -p flashsale --bin flashsale

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/flashsale /usr/local/bin/flashsale
ENV BIND_ADDR=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/flashsale"]
CMD ["api"]
