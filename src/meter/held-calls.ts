// Calls that hold a slot here, each a link of one chain: to put one in and to take it out sets a few pointers. A map
// would cost as much as all the rest of a call.
import type { CallId } from '../stores/meter/call-id.js';
import type { Slot } from '../stores/meter/memory-slots.js';
import type { AcquireRequest, ChargedCall } from '../stores/meter/meter-store.js';

export class HeldCall implements ChargedCall {
  readonly orgId: string;
  readonly callId: CallId;
  readonly kind: string;
  readonly credits: number;
  before: HeldCall | undefined = undefined;
  after: HeldCall | undefined = undefined;
  constructor(
    call: Omit<AcquireRequest, 'limits'>,
    readonly day: string,
    /** In the chain, not renewed, or neither. */
    public state: 'renewed' | 'not renewed' | 'ended',
    public renewAtMs: number,
    /** Where it was decided from memory. */
    readonly slot: Slot | undefined,
  ) {
    this.orgId = call.orgId;
    this.callId = call.callId;
    this.kind = call.kind;
    this.credits = call.credits;
  }
}

export class HeldCalls {
  private last: HeldCall | undefined = undefined;

  add(call: HeldCall): void {
    call.before = this.last;
    if (this.last !== undefined) this.last.after = call;
    this.last = call;
  }

  remove(call: HeldCall): void {
    const { before, after } = call;
    if (before !== undefined) before.after = after;
    if (after !== undefined) after.before = before;
    else this.last = before;
    // it may live for long in the hands of who asked
    call.before = undefined;
    call.after = undefined;
  }

  /** Also those whose time is more than `withinMs` away: the clock was set back since. */
  listDue(nowMs: number, withinMs: number): readonly HeldCall[] {
    const due: HeldCall[] = [];
    for (let call = this.last; call !== undefined; call = call.before)
      if (call.renewAtMs <= nowMs || call.renewAtMs > nowMs + withinMs) due.push(call);
    return due;
  }
}
