// What an entry of the audit says was done: every action that this version records. Earlier ones recorded others too.

export const AUDIT_ACTIONS = [
  // rollouts, runs and fences
  ...['plan', 'apply', 'approve', 'pause', 'resume', 'abort', 'retry', 'freeze', 'unfreeze', 'transition', 'activate'],
  ...['open_fence', 'close_fence', 'reopen', 'distrust', 'end_forgotten_run', 'void_lost_approvals'],
  ...['propose_undo', 'undo', 'withdraw_undo', 'drop_undo', 'forget_plans', 'forget_drift', 'forget_nights'],
  // data centers, settings and checks
  ...['add_data_center', 'remove_data_center', 'detach', 'uninstall'],
  ...['propose_adoption', 'approve_adoption', 'withdraw_adoption', 'adopt_cell'],
  ...['set_policy', 'propose_setting', 'change_setting', 'withdraw_setting', 'set_lanes', 'unset_lanes'],
  ...['set_check', 'loosen_check', 'unset_check', 'enforce', 'resend_webhook'],
  ...['propose_audit_cut', 'accept_audit_cut', 'withdraw_audit_cut'],
  // nights and cut-overs
  ...['ask_reconcile', 'propose_falls', 'accept_falls', 'withdraw_falls', 'reconcile', 'end_reconcile'],
  ...['sweep', 'end_sweep', 'arm_gate', 'disarm_gate', 'cutover', 'alarm_48h', 'alarm_2h'],
  ...['postpone', 'postpone_withdrawn', 'postponed', 'reverse', 'reverse_withdrawn', 'reversed'],
  // single orgs
  ...['protect', 'unprotect', 'override', 'override_applied', 'override_withdrawn', 'repair', 'repair_applied'],
  ...['exception', 'exception_declined', 'exception_withdrawn'],
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];
