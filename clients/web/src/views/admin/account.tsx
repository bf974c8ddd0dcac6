/** One account, and what a server admin can do about it. */

import { useState } from "preact/hooks";
import type { Account, AccountChanges, Id, PasswordReset } from "@chatx/sdk";
import { nameOf } from "../../state/names";
import { api, me } from "../../state/session";
import { moment } from "../../state/times";
import { attempt } from "../../state/toasts";
import { strings } from "../../strings";
import { Copied } from "../copied";
import { Dialog } from "../dialog";
import { Facts } from "../facts";
import { Field, Problem, useForm } from "../form";
import { Loaded, useAnswer } from "../loaded";

const words = strings.admin.users;

interface AccountDialogProps {
  id: Id;
  onClose(): void;
  /** Told when something about it is another than it was. */
  onChange(): void;
}

export function AccountDialog({ id, onClose, onChange }: AccountDialogProps) {
  const answer = useAnswer(() => api.account(id), id);
  const account = answer.value;
  async function change(changes: AccountChanges): Promise<void> {
    await api.updateAccount(id, changes);
    await answer.reload();
    onChange();
  }
  return (
    <Dialog title={account === undefined ? words.open : nameOf(account)} onClose={onClose} wide>
      <Loaded of={answer}>
        {(account) => (
          <div data-testid="account-dialog">
            <p class="tags"><span class="muted">@{account.username}{account.email && ` · ${account.email}`}</span> <Tags account={account} /></p>
            <Facts of={[
              [words.created, moment(account.created_at)],
              [words.seen, account.last_seen_at ? moment(account.last_seen_at) : words.never],
              [words.sessions, account.sessions.toLocaleString()],
              [words.rooms, words.ofWhichOwned(account.rooms, account.owned_rooms)],
              [words.suspendedSince, account.suspended_at && moment(account.suspended_at)],
              [words.reason, account.suspended_reason],
            ]} />
            {account.erased_at == null && (
              <>
                <Rights account={account} change={change} />
                <NewPassword id={account.id} />
                {account.id !== me.value?.id && !account.admin_by_settings && <Suspension account={account} change={change} />}
              </>
            )}
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}

interface PartProps {
  account: Account;
  change(changes: AccountChanges): Promise<void>;
}

function Rights({ account, change }: PartProps) {
  return (
    <section class="part">
      <div>
        <h3>{words.rights}</h3>
        <p class="muted">{account.admin_by_settings ? words.bySettings : words.rightsText}</p>
      </div>
      <p class="actions">
        {!account.admin_by_settings && (
          <button type="button" class="button" data-testid="toggle-admin" onClick={() => void attempt(() => change({ admin: !account.admin }))}>
            {account.admin ? words.takeRights : words.giveRights}
          </button>
        )}
        {account.display_name !== "" && account.display_name !== account.username && (
          <button type="button" class="button" onClick={() => void attempt(() => change({ display_name: null }))}>{words.clearName}</button>
        )}
      </p>
    </section>
  );
}

function NewPassword({ id }: { id: Id }) {
  const [reset, setReset] = useState<PasswordReset>();
  return (
    <section class="part">
      <div>
        <h3>{words.password}</h3>
        <p class="muted">{words.passwordText}</p>
      </div>
      {reset === undefined ? (
        <button type="button" class="button" data-testid="reset-account" onClick={() => void attempt(async () => setReset(await api.resetAccount(id)))}>
          {words.reset}
        </button>
      ) : (
        <Copied label={words.resetLink} text={reset.url} hint={words.resetText(moment(reset.expires_at))} testid="reset-link" />
      )}
    </section>
  );
}

function Suspension({ account, change }: PartProps) {
  const suspended = account.suspended_at != null;
  const form = useForm((data) => {
    const reason = String(data.get("reason") ?? "").trim();
    return change(suspended ? { suspended: false } : { suspended: true, suspended_reason: reason === "" ? null : reason });
  });
  return (
    <section class="part">
      <form onSubmit={form.onSubmit} noValidate>
        <h3>{words.suspension}</h3>
        <p class="muted">{suspended ? words.suspendedText : words.suspendText}</p>
        {!suspended && <Field form={form} name="reason" label={words.reason} optional testid="suspend-reason" />}
        <Problem form={form} />
        <button type="submit" class={suspended ? "button" : "button danger"} disabled={form.busy} data-testid="suspend">
          {suspended ? words.lift : words.suspend}
        </button>
      </form>
    </section>
  );
}

/** What is out of the ordinary about an account. */
export function Tags({ account }: { account: Account }) {
  return (
    <>
      {account.id === me.value?.id && <span class="tag">{strings.rooms.you}</span>}
      {account.admin && <span class="tag accent">{words.admin}</span>}
      {account.suspended_at != null && <span class="tag bad">{words.suspended}</span>}
      {account.erased_at != null && <span class="tag">{words.erased}</span>}
    </>
  );
}
