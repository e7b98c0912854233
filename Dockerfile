# Rollcast in a container. It listens on all of the container's addresses, so it wants a token:
#   docker build -t rollcast .
#   docker run -p 127.0.0.1:8765:8765 -e ROLLCAST_API__TOKEN=… -v rollcast:/var/lib/rollcast/data rollcast

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/rollcast
# What it needs comes first: these layers stay as long as the two files do.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *(each for extra in ('mqtt', 'plot', 'postgres') for each in p['optional-dependencies'][extra]), sep='\n')" > requirements.txt \
    && /opt/rollcast/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r requirements.txt
COPY README.md LICENSE ./
COPY db db
COPY models models
COPY jobs jobs
COPY service service
RUN /opt/rollcast/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/rollcast rollcast \
    && install --directory --owner=rollcast --group=rollcast /var/lib/rollcast/data
COPY --from=build /opt/rollcast /opt/rollcast
ENV PATH=/opt/rollcast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ROLLCAST_DATA_DIR=/var/lib/rollcast/data \
    ROLLCAST_API__HOST=0.0.0.0
USER 10001
WORKDIR /var/lib/rollcast
VOLUME /var/lib/rollcast/data
EXPOSE 8765
# Asked where the daemon listens, whichever file or variable says so.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-m", "service.healthcheck"]
ENTRYPOINT ["rollcast"]
CMD ["run"]
