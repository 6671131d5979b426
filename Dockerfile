# The site in a container: wheels from the lock alone, no build tools and no root in what runs.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /site
RUN python -m venv .venv
COPY requirements.txt .
RUN .venv/bin/python -m pip install --no-deps --require-hashes --only-binary :all: --requirement requirements.txt
COPY gunicorn.conf.py wsgi.py ./
COPY migrations migrations
COPY webapp webapp
RUN .venv/bin/python -m compileall -q webapp migrations wsgi.py

FROM python:3.13-slim
ENV PATH=/site/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 APP_ENV=production BIND=0.0.0.0:8000
WORKDIR /site
COPY --from=build /site /site
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "wsgi:app"]
