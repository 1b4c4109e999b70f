# The shardkv command in a small image without a shell: docker build -t shardkv .
#
# For every platform that both base images have: nothing here names one. Several at once: docker buildx build --platform linux/amd64,linux/arm64
# Distroless images carry no version in their tags; who wants the same bytes again gives its digest:
# --build-arg RUNTIME=gcr.io/distroless/nodejs22-debian12@sha256:...

ARG RUNTIME=gcr.io/distroless/nodejs22-debian12:nonroot

FROM node:22.22.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Not npm ci: it refuses a lockfile that lacks the binaries of other platforms. The versions and checksums are the lockfile's.
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.types.json tsconfig.cjs.json ./
COPY actors ./actors
COPY bench ./bench
COPY bin ./bin
COPY bus ./bus
COPY cli ./cli
COPY gateway ./gateway
COPY lanes ./lanes
COPY observe ./observe
COPY scripts ./scripts
COPY sdk ./sdk
COPY sim ./sim
COPY storage ./storage
COPY topology ./topology
RUN npm run build
# What a log target or an exporter of traces needs is installed by who names it; for the profiles of compose.yaml Loki's and those of OTLP are in
# the image.
RUN set -e; for name in pino-loki @opentelemetry/exporter-trace-otlp-grpc @opentelemetry/exporter-trace-otlp-proto \
    @opentelemetry/exporter-trace-otlp-http @opentelemetry/resources; do \
    npm pkg set "dependencies.$name=$(npm pkg get "devDependencies.$name" | tr -d '"')"; \
    npm pkg delete "devDependencies.$name" "peerDependencies.$name" "peerDependenciesMeta.$name"; \
  done; npm prune --omit=dev --omit=peer --ignore-scripts --no-audit --no-fund
RUN mkdir /data

FROM ${RUNTIME}
# A home for whatever user it is run as: one whom no password file knows has none.
ENV NODE_ENV=production HOME=/home/nonroot
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A fresh volume takes its owner from here.
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
# By number, so that an orchestrator can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cli/entry.js"]
CMD ["--help"]
