FROM python:3.11-slim
WORKDIR /opt/rollcast
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[mqtt,postgres]' \
    && useradd --system --create-home --home-dir /var/lib/rollcast rollcast
USER rollcast
WORKDIR /var/lib/rollcast
ENV ROLLCAST_DATA_DIR=/var/lib/rollcast/data ROLLCAST_API__HOST=0.0.0.0
EXPOSE 8765
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/readyz')"]
ENTRYPOINT ["rollcast"]
CMD ["run"]
