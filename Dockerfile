# Two stages: what builds does not ship.
FROM python:3.11-slim AS build
COPY requirements.txt /tmp/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /tmp/requirements.txt

FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/var/lib/waymark
RUN useradd --system --uid 10001 --home-dir /var/lib/waymark --create-home waymark
COPY --from=build /opt/venv /opt/venv
COPY --chown=root:root . /srv/waymark
WORKDIR /srv/waymark
# Static files belong to the image, not to the volume that holds keys and outlives an upgrade.
ENV STATIC_ROOT=/srv/static
RUN VAR_DIR=/tmp/build python manage.py collectstatic --no-input --verbosity 0 && rm -rf /tmp/build
USER waymark
VOLUME /var/lib/waymark
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--processes", "2"]
