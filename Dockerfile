# The image of all of Tailrace: operator, JobManager, TaskManager and the commands, by the first argument.
#
#     docker build -t tailrace:0.1.0 .
#     docker run tailrace:0.1.0 --help
#
# A job comes into it by one line: `FROM tailrace:0.1.0` and `COPY dist/job.mjs /opt/tailrace/usrlib/`. It runs as user 9999 on a read-only root; only /tmp and
# /var/tailrace are written to.

# Debian with Node 24 and npm.
ARG BASE_IMAGE=node:24-bookworm-slim

FROM ${BASE_IMAGE} AS build
ARG NODE_EXTRA_CA_CERTS
WORKDIR /src
COPY package.json package-lock.json ./
# The Node of the base compiles: scripts, among them the one that downloads another Node, are not run.
RUN npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
COPY tsconfig.json ./
COPY scripts/build.ts scripts/web-build.ts scripts/
COPY runtime runtime
COPY operator operator
RUN node scripts/build.ts

FROM ${BASE_IMAGE} AS packages
ARG NODE_EXTRA_CA_CERTS
WORKDIR /opt/tailrace
COPY package.json package-lock.json ./
# Types, maps of sources and texts are what nobody loads.
RUN npm ci --omit=dev --ignore-scripts --no-fund --no-audit --loglevel=error \
 && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' -o -name '*.md' \) -delete
COPY --from=build /src/dist dist
RUN find dist -name '*.d.ts' -delete && find dist -name '*.map' -delete \
 && mkdir -p conf usrlib cache /var/tailrace && chown 9999:9999 cache /var/tailrace \
 && ln -s /opt/tailrace/dist/runtime/cli/main.js /usr/local/bin/tailrace
# Compiled code of the commands is kept in the image: a container starts a sixth sooner.
USER 9999:9999
ENV NODE_COMPILE_CACHE=/opt/tailrace/cache
COPY scripts/warm-image.mjs /tmp/
RUN node /tmp/warm-image.mjs

FROM ${BASE_IMAGE}
COPY --from=packages /opt/tailrace /opt/tailrace
COPY --from=packages --chown=9999:9999 /var/tailrace /var/tailrace
RUN ln -s /opt/tailrace/dist/runtime/cli/main.js /usr/local/bin/tailrace
ENV NODE_ENV=production NODE_COMPILE_CACHE=/opt/tailrace/cache
USER 9999:9999
WORKDIR /opt/tailrace
EXPOSE 6123 8081 9249
ENTRYPOINT ["tailrace"]
CMD ["--help"]
