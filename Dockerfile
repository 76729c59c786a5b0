# Wildpost's server and a Mosquitto to go with it, for x86_64 and aarch64; configs/compose.yaml starts them.
#   docker build --target server -t wildpost .
# Base images are named by digest; .ci/base-images writes the digests of today into this file and configs/compose.yaml.

FROM docker.io/library/python:3.11-slim-bookworm@sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b AS python

FROM python AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/wildpost UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
COPY .ci/uv.txt /uv.txt
RUN pip install --no-cache-dir --require-hashes -r /uv.txt
WORKDIR /source
# What the server needs of others changes seldom, and is a layer of its own; no station's detector, nothing to train with.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups --extra server --no-install-project --no-cache
COPY . .
RUN uv sync --frozen --no-default-groups --extra server --no-editable --no-cache

FROM docker.io/library/eclipse-mosquitto:2.0.22@sha256:05b5c328c11046613c4b8137b27021c15342c9fc90ae9c2f4750ed3ece5967bd AS broker
# Where the configuration of `wildpost broker init` has it keep what waits; a new volume takes over the owner.
RUN install -d -o mosquitto -g mosquitto -m 0700 /var/lib/mosquitto
USER 1883:1883
CMD ["mosquitto", "-c", "/etc/mosquitto/wildpost/mosquitto.conf"]

FROM python AS server
RUN useradd --system --uid 10001 --home-dir /var/lib/wildpost --shell /usr/sbin/nologin wildpost \
    && install -d -o wildpost -g wildpost -m 0700 /var/lib/wildpost
COPY --from=build /opt/wildpost /opt/wildpost
ENV PATH=/opt/wildpost/bin:$PATH WILDPOST_DATA=/var/lib/wildpost PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/wildpost
ENTRYPOINT ["wildpost"]
CMD ["serve", "/etc/wildpost/server.toml", "--log-format", "json"]
