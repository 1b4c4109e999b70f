# The shardkv command in a small image without a shell: docker build -t shardkv .

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Not npm ci: it refuses a lockfile that lacks the binaries of other platforms. The versions and checksums are the lockfile's.
RUN npm install --no-save --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.cjs.json ./
COPY actors ./actors
COPY bench ./bench
COPY bin ./bin
COPY bus ./bus
COPY cli ./cli
COPY gateway ./gateway
COPY observe ./observe
COPY sdk ./sdk
COPY sim ./sim
COPY storage ./storage
COPY topology ./topology
RUN npm run build && npm prune --omit=dev --ignore-scripts && mkdir /data

FROM gcr.io/distroless/nodejs22-debian12:nonroot
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# A fresh volume takes its owner from here.
COPY --from=build --chown=nonroot:nonroot /data /data
VOLUME /data
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/cli/entry.js"]
CMD ["--help"]
