// A context under another name, for processes of the embedded servers, where everybody shares one login. Elsewhere the
// login that control authenticated counts, whatever a process says.
import { recordAs } from '../stores/control/person.js';
import type { EngineContext } from './context.js';

/** The same context; what it writes in control is recorded under this name, on the embedded servers. */
export function actAs(context: EngineContext, actor: string): EngineContext {
  return context.actor === null ? context : { ...context, actor, control: recordAs(context.control, actor) };
}
