// The planted bugs, by area. A bug: `file`, the text `find` that it has once, what is `put` there instead, and the
// `tests` that are to notice; `only` names the tests in them where a file has many.
import { AUDIT } from './audit.mjs';
import { DECISIONS } from './decisions.mjs';
import { INSTANTS } from './instants.mjs';
import { LIMITS } from './limits.mjs';
import { REST } from './rest.mjs';
import { VERIFY } from './verify.mjs';
import { WRITES } from './writes.mjs';

export const PLANTS = [...DECISIONS, ...VERIFY, ...LIMITS, ...INSTANTS, ...WRITES, ...AUDIT, ...REST];
