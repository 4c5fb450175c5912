# The image of the gateway: one executable on distroless, no shell, no package manager, an unprivileged user. Runs with a
# read-only root filesystem; only /data is written, and only when store.embedded is set to it.
#
#   docker build -t claude-gateway .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 8080:8080 \
#     -v ./gateway.yaml:/etc/claude-gateway/gateway.yaml:ro claude-gateway
#
# Give it as long to stop as it takes to drain (docker stop --time 30). To pin the base images beyond their tags, replace
# each tag by the digest that `docker buildx imagetools inspect IMAGE:TAG` prints. That the executable needs nothing but
# what this image holds is shown by test/image.

FROM --platform=$BUILDPLATFORM oven/bun:1.4.5 AS build
WORKDIR /build
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --production --ignore-scripts
COPY tsconfig.json ./
COPY src src
COPY sql sql
COPY test/tools test/tools
ARG TARGETARCH=amd64
RUN target="linux-$(echo "$TARGETARCH" | sed s/amd64/x64/)" \
 && bun test/tools/build.ts "$target" \
 && mkdir -p /image/data \
 && mv dist/*.cdx.json /image/claude-gateway.cdx.json \
 && mv dist/claude-gateway* /image/claude-gateway

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/claude-gateway /claude-gateway
# What the executable is made of (CycloneDX).
COPY --from=build /image/claude-gateway.cdx.json /claude-gateway.cdx.json
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s \
  CMD ["/claude-gateway", "health", "--config", "/etc/claude-gateway/gateway.yaml"]
ENTRYPOINT ["/claude-gateway"]
CMD ["--config", "/etc/claude-gateway/gateway.yaml"]
