// The registry of every failure a user can meet. docs/errors.md lists the same codes; a test compares them.

interface ErrorEntry {
  /** Process exit code, as documented in README: 1 error, 3 left out, 4 held, 5 mismatch, 6 conflict, 7 not permitted. */
  readonly exit: 1 | 3 | 4 | 5 | 6 | 7;
  /** What it means, one sentence. */
  readonly meaning: string;
  /** The way out when the thrower gives none. */
  readonly next: string;
}

const entry = (exit: ErrorEntry['exit'], meaning: string, next: string): ErrorEntry => ({ exit, meaning, next });

export const ERRORS = {
  // configuration
  config_not_found: entry(
    1,
    'The configuration file named by --config does not exist or cannot be read.',
    'Check the path given to --config.',
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
  duplicate_data_center: entry(1, 'Two data centers have the same id.', 'Give each data center its own id.'),
  unknown_data_center: entry(1, 'No data center has this id.', 'Use one of the ids that are listed.'),
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
  rate_card_case_failed: entry(1, 'A golden case of the rate card does not come out.', 'Correct the card or the case.'),
} as const satisfies Record<string, ErrorEntry>;

/** A stable code from the registry. */
export type ErrorCode = keyof typeof ERRORS;
