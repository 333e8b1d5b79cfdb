// Texts for a database whose encoding does not have every character: what it cannot store is replaced by its name in
// Unicode, `<U+4F1A>`, so that a reason or the name of a person is never an error. Asks the server, which knows its own
// table of characters. Never changes a text that the database can store.
/** A statement without parameters on the transaction that the texts go to. */
type Ask = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** Of one pool: the encoding of its database, and which characters that has. */
interface Encoding {
  readonly name: string;
  readonly known: Map<string, boolean>;
}

const encodings = new WeakMap<object, Encoding>();
/** More different characters than a person types; then it asks again. */
const MAX_KNOWN = 20_000;

const BEYOND_ASCII = /[^\0-\x7f]/u;
const EACH_BEYOND_ASCII = /[^\0-\x7f]/gu;

/** Whether any of the texts needs a look; cheap. */
export const hasBeyondAscii = (texts: readonly unknown[]): boolean =>
  texts.some((text) =>
    Array.isArray(text) ? hasBeyondAscii(text) : typeof text === 'string' && BEYOND_ASCII.test(text),
  );

/** Replaces in one of these texts what the database cannot store. `pool`: what stands for its connections. */
export async function createReplacement(
  pool: object,
  ask: Ask,
  texts: readonly unknown[],
): Promise<(text: string) => string> {
  const { name, known } = await findEncoding(pool, ask);
  // SQL_ASCII stores any bytes
  if (name === 'UTF8' || name === 'SQL_ASCII') return (text) => text;
  const unknown = [...new Set(listCharacters(texts))].filter((character) => !known.has(character));
  if (known.size + unknown.length > MAX_KNOWN) known.clear();
  const storable = await askServer(ask, unknown);
  for (const [index, character] of unknown.entries()) known.set(character, storable[index] === '1');
  return (text) => text.replace(EACH_BEYOND_ASCII, (one) => (known.get(one) === false ? nameOf(one) : one));
}

const listCharacters = (texts: readonly unknown[]): readonly string[] =>
  texts.flatMap((text) =>
    Array.isArray(text) ? listCharacters(text) : typeof text === 'string' ? (text.match(EACH_BEYOND_ASCII) ?? []) : [],
  );

const nameOf = (character: string): string =>
  `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;

async function findEncoding(pool: object, ask: Ask): Promise<Encoding> {
  const found = encodings.get(pool);
  if (found !== undefined) return found;
  const [row] = await ask('show server_encoding');
  const encoding = { name: String(row?.server_encoding), known: new Map<string, boolean>() };
  encodings.set(pool, encoding);
  return encoding;
}

/** A digit for each: 1 where the encoding has it. Half of a pair of UTF-16 is no character, and none has it. */
async function askServer(ask: Ask, characters: readonly string[]): Promise<string> {
  if (characters.length === 0) return '';
  const codes = characters.map((one) => (/\p{Cs}/u.test(one) ? 'ff' : Buffer.from(one, 'utf8').toString('hex')));
  await ask(`do $$
    declare
      code text;
      answer text := '';
    begin
      foreach code in array '{${codes.join(',')}}'::text[] loop
        begin
          perform pg_catalog.convert_from(pg_catalog.decode(code, 'hex'), 'UTF8');
          answer := answer || '1';
        exception when data_exception then
          answer := answer || '0';
        end;
      end loop;
      perform pg_catalog.set_config('credit_rollout.storable', answer, true);
    end $$`);
  const [row] = await ask(`select current_setting('credit_rollout.storable') as storable`);
  return String(row?.storable);
}
