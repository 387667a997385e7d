"""What a database's schema is, in lines that are the same whoever looks, and which migrations it says it has had.

Owners and rights are left out: a copy has others, and a migration is not about them. What a database says of its
migrations are the tables in which their tools keep the versions; moments in them are left out.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.postgres.names import quoted
from connectors.postgres.session import Database

VERSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "alembic_version": ("version_num",),
    "schema_migrations": ("version", "dirty"),
    "django_migrations": ("app", "name"),
    "flyway_schema_history": ("version", "script", "success"),
    "databasechangelog": ("id", "author", "filename", "exectype"),
    "_prisma_migrations": ("migration_name", "checksum"),
    "knex_migrations": ("name",),
    "sequelizemeta": ("name",),
    "typeorm_migrations": ("name",),
    "migrations": ("name", "migration"),
    "pgmigrations": ("name",),
    "__drizzle_migrations": ("hash",),
    "goose_db_version": ("version_id", "is_applied"),
    "_sqlx_migrations": ("version", "success", "checksum"),
    "__diesel_schema_migrations": ("version",),
    "refinery_schema_history": ("version", "name", "checksum"),
    "atlas_schema_revisions": ("version", "applied", "total"),
    "_yoyo_migration": ("migration_id",),
    "gorp_migrations": ("id",),
    "__efmigrationshistory": ("MigrationId",),
}
"""Tables of migrations' tools, by their names in small letters, and the columns that say which they were."""

_LINES: Final = """
WITH n AS (SELECT tableoid, oid, nspname FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
     ours AS (SELECT tableoid, oid, nspname FROM n
               WHERE (tableoid, oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')),
     rel AS (SELECT c.*, n.nspname FROM pg_class c JOIN n ON n.oid = c.relnamespace
              WHERE (c.tableoid, c.oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'))
SELECT format('schema %I', nspname) FROM ours
UNION ALL
SELECT format('extension %I %s', extname, extversion) FROM pg_extension
UNION ALL
SELECT format('relation %s %I.%I %s %s %s %s', relkind, nspname, relname, relpersistence, relrowsecurity, reloptions,
              pg_get_expr(relpartbound, oid))
  FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
UNION ALL
SELECT format('view %I.%I %s', nspname, relname, pg_get_viewdef(oid)) FROM rel WHERE relkind IN ('v', 'm')
UNION ALL
SELECT format('column %I.%I.%I %s %s %s %s %s', nspname, relname, a.attname, format_type(a.atttypid, a.atttypmod),
              a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(e.adbin, e.adrelid))
  FROM pg_attribute a JOIN rel ON rel.oid = a.attrelid
  LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  WHERE a.attnum > 0 AND NOT a.attisdropped AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
UNION ALL
SELECT format('constraint %I.%I %I %s', n.nspname, coalesce(c.relname, t.typname), k.conname,
              pg_get_constraintdef(k.oid))
  FROM pg_constraint k JOIN n ON n.oid = k.connamespace LEFT JOIN rel c ON c.oid = k.conrelid
  LEFT JOIN pg_type t ON t.oid = k.contypid
  WHERE k.contype <> 'n' AND coalesce(c.relname, t.typname) IS NOT NULL
UNION ALL
SELECT format('index %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid)
  FROM pg_index i JOIN rel ON rel.oid = i.indexrelid
UNION ALL
SELECT format('trigger %s %s', pg_get_triggerdef(t.oid), t.tgenabled)
  FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT format('policy %I.%I %I %s %s %s %s', schemaname, tablename, policyname, permissive, cmd, qual, with_check)
  FROM pg_policies
UNION ALL
SELECT CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid)
            ELSE format('%s %I.%I(%s)', p.prokind, nspname, p.proname, pg_get_function_identity_arguments(p.oid)) END
  FROM pg_proc p JOIN n ON n.oid = p.pronamespace
  WHERE (p.tableoid, p.oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
UNION ALL
SELECT format('type %I.%I %s %s %s %s %s', nspname, t.typname, t.typtype, format_type(t.typbasetype, t.typtypmod),
              t.typnotnull, t.typdefault, (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder)
                                             FROM pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_type t JOIN n ON n.oid = t.typnamespace
  WHERE t.typtype IN ('e', 'd', 'r')
    AND (t.tableoid, t.oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
"""
_TABLES: Final = """
SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND lower(c.relname) = ANY (:tables)
  GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Schema:
    """One look.

    Attributes:
        digest: Of schema and versions, `sha256:` first. Equal digests: the same schema, and the same migrations done.
        versions: Tables that say which migrations were done, each with a digest of what it says.
    """

    digest: str
    versions: Mapping[str, str]


async def look_at_schema(database: Database) -> Schema:
    """Look, as whoever is connected; in one moment.

    Raises:
        ConnectorError: By the tree.
    """
    async with database.whole():
        await database.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await database.run("SET LOCAL search_path = pg_catalog")  # so that all names are told with their schemas
        lines = sorted(await database.names(_LINES))
        versions = {
            f"{schema}.{table}": await _said(database, str(schema), str(table), list(map(str, columns)))
            for schema, table, columns in await database.run(_TABLES, tables=list(VERSIONS))
        }
    lines += [f"versions {table} {said}" for table, said in sorted(versions.items())]
    return Schema(f"sha256:{hashlib.sha256(chr(0).join(lines).encode()).hexdigest()}", versions)


async def _said(database: Database, schema: str, table: str, there: list[str]) -> str:
    columns = [quoted(one) for one in VERSIONS[table.lower()] if one in there]
    if not columns:
        return ""
    row = f"ROW({', '.join(columns)})::text"
    sql = f"SELECT md5(coalesce(string_agg({row}, E'\\n' ORDER BY {row}), '')) FROM {quoted(schema)}.{quoted(table)}"  # noqa: S608 - quoted names of the catalogue's
    return (await database.names(sql))[0]
