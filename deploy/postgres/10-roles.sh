#!/bin/sh
# At the first start of PostgreSQL: an owner, who migrates, and the site, which reads and writes rows and nothing else.
set -eu
psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
    --set owner_password="$SITE_OWNER_PASSWORD" --set site_password="$SITE_PASSWORD" <<'SQL'
CREATE ROLE site_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE site LOGIN PASSWORD :'site_password';
CREATE DATABASE site OWNER site_owner;
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
REVOKE ALL ON DATABASE site FROM PUBLIC;
GRANT CONNECT ON DATABASE site TO site;
\connect site
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO site_owner;
GRANT USAGE ON SCHEMA public TO site;
-- Which migration the schema is at is for the owner to say: the table is here before the site's rights to new ones are.
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);
ALTER TABLE alembic_version OWNER TO site_owner;
GRANT SELECT ON alembic_version TO site;
ALTER DEFAULT PRIVILEGES FOR ROLE site_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO site;
ALTER DEFAULT PRIVILEGES FOR ROLE site_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO site;
SQL
