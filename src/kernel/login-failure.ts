// Why a login ended before the server refused it, in words: the driver found something wrong itself. Never shows a text
// of the server.

/** The password goes to whoever has the port. */
export const CLEAR_TEXT_ASKED = 'The server asks for the password in clear text, and the connection has no TLS';

/** The password goes to whoever listens in that folder first. */
export const CLEAR_TEXT_ON_SOCKET = 'The server asks for the password in clear text, on a socket in a shared folder';

const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^SASL: .*client password must be/u, 'its URL has no password, and its server asks for one'],
  [/^SASL: Only mechanism/u, 'its server knows no way to check a password that this program has'],
  [/^SASL: /u, 'its server does not prove that it knows the password, so it may be another one'],
  [
    new RegExp(`^${CLEAR_TEXT_ASKED}`, 'u'),
    'its server asks for the password in clear text, without TLS: it is not sent',
  ],
  [
    new RegExp(`^${CLEAR_TEXT_ON_SOCKET}`, 'u'),
    'its server asks for the password in clear text, and its socket is in a folder that every user can write: ' +
      'it is not sent',
  ],
];

/** As the end of a sentence; undefined when it is no such failure. */
export function explainLoginFailure(error: unknown): string | undefined {
  // an error that a server sent has a code, whatever its text says
  if (!(error instanceof Error) || (error as { readonly code?: unknown }).code !== undefined) return undefined;
  return SENTENCES.find(([pattern]) => pattern.test(error.message))?.[1];
}

/** What answers there is no PostgreSQL, or somebody changes what it says. */
export const FOREIGN_ANSWER = 'The connection brought what PostgreSQL does not send';
const BY_DRIVER = 'Received unexpected \\w+ message|received invalid response: [0-9a-f]+$';
/** Behind the statement, which knex writes first. */
const FOREIGN = new RegExp(`(?:^| - )(?:${FOREIGN_ANSWER}$|${BY_DRIVER})`, 'u');

export const isForeignAnswer = (error: unknown): boolean =>
  error instanceof Error && (error as { readonly code?: unknown }).code === undefined && FOREIGN.test(error.message);
