// SQL that a person pastes. A name in it may hold what no terminal shows, and a line that is too long is broken at a
// blank: so both are written as codes, which PostgreSQL reads as the same name.
import { toPrintable } from './printable.js';

const QUOTED_NAME = /"((?:[^"]|"")*)"/gu;
/** Where a line may be broken, and what may be piled on the character before it. */
const BLANK_OR_MARK = /[\s\p{M}]/u;

/** Each quoted name that a terminal would change as `U&"…"`; for an UTF-8 database, which every cell is. */
export const toPastedSql = (sql: string): string =>
  sql.replace(QUOTED_NAME, (quoted, name: string) =>
    toPrintable(quoted) === quoted && !/\s/u.test(name) ? quoted : `U&"${[...name].map(toCode).join('')}"`,
  );

function toCode(character: string): string {
  if (character === '\\') return '\\\\';
  if (toPrintable(`a${character}`) === `a${character}` && !BLANK_OR_MARK.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\+${code.toString(16).padStart(6, '0')}` : `\\${code.toString(16).padStart(4, '0')}`;
}
