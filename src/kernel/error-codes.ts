// The registry of every failure a user can meet. docs/reference/errors.md lists the same codes; a test compares them.
import { advise, command } from './advice.js';
import { type ErrorEntry, entry } from './error-entry.js';
import { METER_ERRORS } from './meter-errors.js';
import { OUTPUT_ERRORS } from './output-errors.js';
import { PROPOSAL_ERRORS } from './proposal-errors.js';

export const ERRORS = {
  // configuration
  config_not_found: entry(
    1,
    'The configuration file named by --config does not exist or cannot be read.',
    'Check the path given to --config.',
  ),
  config_unsafe: entry(
    1,
    'The configuration in this folder was found there, and another user could have put it or its rate card there.',
    'Run the command elsewhere. If the file is yours, name it with --config.',
  ),
  config_syntax: entry(1, 'The configuration file is not valid YAML.', 'Correct the line that is named.'),
  unknown_config_key: entry(1, 'The configuration has a key that does not exist.', 'Rename or remove the key.'),
  invalid_config: entry(1, 'A configuration value is missing or out of range.', 'Correct the value that is named.'),
  missing_environment_variable: entry(
    1,
    'The configuration names an environment variable that is not set.',
    'Set the variable and run the command again.',
  ),
  invalid_zone: entry(
    1,
    'A time zone is not an IANA name with a slash, or UTC.',
    'Use a name such as Asia/Kolkata, or UTC.',
  ),
  invalid_instant: entry(
    1,
    'A local time does not exist or exists twice in its zone, or is not a date.',
    'Choose one of the instants that are shown.',
  ),
  windows_never_open: entry(
    1,
    'The windows of the configuration never open again: the rollout would wait for ever.',
    'Correct rollout.windows in the configuration.',
  ),
  policy_differs: entry(1, 'The configuration differs from the policy.', 'Write its values, or leave the keys out.'),
  invalid_duration: entry(
    1,
    'A duration is not in ISO 8601 form, or has no fixed length.',
    'Write one such as PT12H or P30D.',
  ),
  duplicate_data_center: entry(1, 'Two data centers have the same id.', 'Give each data center its own id.'),
  unknown_data_center: entry(1, 'No data center has this id.', 'Use one of the ids that are listed.'),
  removal_refused: entry(
    6,
    'A data center cannot be taken out now: something is under way, waits for a second person, or reads our schema.',
    'End what is named, then repeat it.',
  ),
  // rate card
  rate_card_not_found: entry(1, 'The rate card file cannot be read.', 'Check rateCard in the configuration.'),
  invalid_rate_card: entry(
    1,
    'The rate card has a missing, unknown or impossible entry.',
    'Correct the entry that is named.',
  ),
  inexact_number: entry(
    1,
    'A number in the rate card would be rounded when read.',
    'Write it as a plain integer within the limits.',
  ),
  rate_card_changes_promise: entry(
    1,
    'A new rate card changes the legacy half or the order of editions while floors exist.',
    'Restore them in the card; only credits, additions and concurrency may change.',
  ),
  rate_card_case_failed: entry(
    1,
    'A golden case of the rate card has another result.',
    'Correct the card or the case.',
  ),
  // databases and cells
  database_unreachable: entry(
    1,
    'A database cannot be reached.',
    advise`Check that it runs and that its URL is right, then run: ${command('doctor')}`,
  ),
  database_refused: entry(1, 'A database refused the login.', 'Check user and password in its URL.'),
  database_failed: entry(
    1,
    'A database could not execute a statement.',
    'Run the command again. If it fails again, look up the SQLSTATE in the log of that server.',
  ),
  unsupported_version: entry(
    1,
    'A server is older or newer than what is supported.',
    'Use PostgreSQL 14 to 18, Redis 6.2 or newer.',
  ),
  cell_is_standby: entry(1, 'A cell URL leads to a standby.', 'Point the URL at the primary.'),
  wrong_cell: entry(
    6,
    'A cell URL leads to another cell.',
    'Correct the URL of this data center in the configuration.',
  ),
  not_initialised: entry(1, 'The schema of a database is missing or old.', advise`Run: ${command('init')}`),
  not_permitted: entry(
    7,
    'The database denies something that is needed.',
    advise`Give the login the role that it needs: docs/reference/roles.md. For a source run: ${command('doctor')} (it shows the GRANT)`,
  ),
  login_too_strong: entry(
    7,
    'The source has code of somebody who would get the rights of this login, which may do more than read.',
    'Use a login that is only a member of the roles that the command needs: docs/how-to/install-a-fleet.md.',
  ),
  read_only: entry(
    1,
    'A database accepts no writes now: it was made read-only.',
    'End what made it read-only: a full disk, its provider, or default_transaction_read_only of database or server.',
  ),
  encoding_unsupported: entry(
    1,
    'A cell has the encoding SQL_ASCII: its texts may be bytes of any kind, also ids that nobody could ask for.',
    'Copy its database into one that is created with the encoding UTF8, by pg_dump and psql.',
  ),
  server_unsupported: entry(
    1,
    'A PostgreSQL server refuses a function that the engine cannot do without.',
    'Ask the provider of the server how it is switched on, or use another server.',
  ),
  roles_missing: entry(
    7,
    'The cell roles do not exist and this login may not create them.',
    'Run the SQL that is shown as a superuser, then init again.',
  ),
  cell_busy: entry(
    6,
    'A database was busy, the connection was lost, or a time limit of ours was too short for it.',
    advise`Run the command again. If it fails again: ${command('doctor')}`,
  ),
  // source
  invalid_source_name: entry(
    1,
    'A source is not a name of the form schema.relation, or lies in a system schema.',
    'Write it as schema.relation.',
  ),
  source_not_found: entry(1, 'No table or view has the name of the source.', 'Correct source in the configuration.'),
  source_column_missing: entry(
    1,
    'The source lacks a column of the contract.',
    'Add the column, or make a view that has it.',
  ),
  source_column_type: entry(1, 'A column of the source is of a kind that cannot be used.', 'Cast it in a view.'),
  source_not_a_table: entry(
    1,
    'Triggers were asked for, and the source is no table.',
    'Name the other data centers with --dc; for this one give the view updated_at, or let source name the table.',
  ),
  source_null_ids: entry(1, 'The source has rows without an org_id.', 'Leave them out in a view, or give them an id.'),
  source_not_populated: entry(
    1,
    'The source is, or reads, a materialized view that was never refreshed.',
    'As its owner run REFRESH MATERIALIZED VIEW with its name.',
  ),
  source_row_security: entry(
    7,
    'Row-level security hides rows of the source from us.',
    'Exempt the login that runs init (BYPASSRLS or owner), or use a view.',
  ),
  views_in_use: entry(
    6,
    'Something of yours depends on a view of ours that must be created again.',
    'Drop what is named, run the command again, then create it again.',
  ),
  source_failed: entry(
    1,
    'The view of the source, or other code of the product in its database, raised an error.',
    'Select all rows and columns of the source in that database: this shows the error. Correct the view, or the ' +
      'function that it calls, and run the command again.',
  ),
  source_changed: entry(1, 'The source is not the one that init read.', advise`Run: ${command('init')}`),
  // queue
  queue_unreachable: entry(
    1,
    'The queue cannot be reached.',
    'Check the URL of queue in the configuration, and that its server runs.',
  ),
  queue_refused: entry(
    1,
    'The queue refused the login.',
    'Check user and password in the URL of queue: a password with @ : / # or % in it must be percent-encoded there.',
  ),
  queue_undeliverable: entry(
    1,
    'The queue can be reached, and a wake-up that is sent through it does not arrive.',
    'Let the server of queue accept writes, or point the URL of queue at another one.',
  ),
  queue_pooled: entry(
    1,
    'A Postgres queue needs a direct connection, and this URL goes through a transaction pooler.',
    'Use the direct URL of the server for queue.',
  ),
  queue_required: entry(
    1,
    'A worker needs a queue of its own in the configuration.',
    'Set queue in the configuration.',
  ),
  // rollout
  data_center_busy: entry(6, 'The data center has a rollout under way already.', advise`Run: ${command('status')}`),
  conflict: entry(
    6,
    'Somebody else changed this at the same time.',
    advise`Run: ${command('status')}, then decide again.`,
  ),
  revision_changed: entry(
    6,
    'What was seen of a data center has changed since: the revision that was given is not the present one.',
    advise`Run: ${command('status')}, then decide again.`,
  ),
  webhook_unknown: entry(
    1,
    'No scheduler has a webhook of this name in its configuration.',
    advise`Run: ${command('webhooks')}`,
  ),
  pause_too_long: entry(
    1,
    'A pause would last for more than 30 days.',
    'Write an earlier end, or leave it out: a pause without an end lasts until somebody resumes it.',
  ),
  reconcile_asked: entry(
    6,
    'A reconciliation of the data center was requested already and has not ended.',
    advise`It continues by itself; show it with: ${command('reconcile --history')}`,
  ),
  wrong_stage: entry(
    6,
    'The command does not fit the stage that the data center is in.',
    advise`Run: ${command('status')}`,
  ),
  verification_mismatch: entry(
    5,
    'Stored allotments differ from the independent statement of the rule.',
    advise`Run: ${command('verify --dc ID')}`,
  ),
  rule_violation: entry(
    1,
    'The database refused a write that breaks the promise; nothing was written.',
    'Report it; the run has stopped.',
  ),
  org_not_found: entry(1, 'The data center has no org with this id.', 'Check the id and the data center.'),
  invalid_org_id: entry(1, 'The text is not an id of the type that this cell uses.', 'Check the id.'),
  instants_pinned: entry(
    6,
    'An instant in the configuration differs from the one pinned by the first apply.',
    'Restore it in the configuration.',
  ),
  zone_data_differs: entry(
    1,
    'A database and this machine disagree about the clock of a time zone.',
    'Bring the older time zone data up to date: that of the PostgreSQL server, or Node.js.',
  ),
  invalid_argument: entry(1, 'A command-line argument is missing or impossible.', 'Run the command with --help.'),
  ...METER_ERRORS,
  ...OUTPUT_ERRORS,
  internal: entry(1, 'Something failed that should not have: a bug of ours.', 'Run the command again with --debug.'),
  ...PROPOSAL_ERRORS,
  embedded_unsupported_platform: entry(
    1,
    'No embedded PostgreSQL exists for this machine.',
    'Set CREDIT_ROLLOUT_PG_BIN to the bin folder of a PostgreSQL 14 to 18, or configure servers of your own.',
  ),
  embedded_start_failed: entry(
    1,
    'The embedded PostgreSQL did not start; the last lines of its log are shown.',
    'Remove the cause that its log names, then run the command again.',
  ),
  local_redis_failed: entry(
    1,
    'A local Redis server did not start.',
    'Install redis-server or valkey-server, or remove the cause that it names.',
  ),
} as const satisfies Record<string, ErrorEntry>;

/** A stable code from the registry. */
export type ErrorCode = keyof typeof ERRORS;
