#!/bin/sh
# At the first start of PostgreSQL: an owner, who migrates, and the site, which reads and writes rows and nothing else.
set -eu
psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
    --set owner_password="$SITE_OWNER_PASSWORD" --set site_password="$SITE_PASSWORD" <<'SQL'
CREATE ROLE site_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE site LOGIN PASSWORD :'site_password';
CREATE DATABASE site OWNER site_owner;
\connect site
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO site_owner;
GRANT USAGE ON SCHEMA public TO site;
ALTER DEFAULT PRIVILEGES FOR ROLE site_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO site;
ALTER DEFAULT PRIVILEGES FOR ROLE site_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO site;
SQL
