// What each transaction of ours sets before anything else, in the round trip that begins it. The owner of a database
// can give it, or a login, any setting: our statements mean the same under all of them.

/** The catalog comes before anything that a login could have made: a temporary type, or an operator in `public`. */
const CATALOG_FIRST = 'set local search_path = pg_catalog, pg_temp';

/** How values are read and written, and what a comparison with null means. Several statements, without a query. */
export const OWN_SETTINGS = `set transaction isolation level read committed;
${CATALOG_FIRST};
set local timezone = 'UTC';
set local datestyle = 'ISO, MDY';
set local intervalstyle = 'postgres';
set local bytea_output = 'hex';
set local extra_float_digits = 1;
set local standard_conforming_strings = on;
set local quote_all_identifiers = off;
set local transform_null_equals = off;
set local array_nulls = on`;
