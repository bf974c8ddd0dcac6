/** Every account of the server: who has one, who may do what, and who is kept out. */

import { useState } from "preact/hooks";
import type { Account, Id } from "@chatx/sdk";
import { nameOf } from "../../state/names";
import { api } from "../../state/session";
import { strings } from "../../strings";
import { Avatar } from "../avatar";
import { Chips } from "../chips";
import { Loaded, More, usePages } from "../loaded";
import { SearchBox } from "../search_box";
import { AccountDialog, Tags } from "./account";

type Only = keyof typeof words.only;

const words = strings.admin.users;

export function Users() {
  const [query, setQuery] = useState("");
  const [only, setOnly] = useState<Only>("all");
  const [open, setOpen] = useState<Id>();
  const filter = only === "suspended" ? { suspended: true } : only === "admins" ? { admin: true } : {};
  const users = usePages("users", (part) => api.accounts({ ...part, query, ...filter }), `${only} ${query}`);
  return (
    <>
      <SearchBox label={words.search} testid="user-search" onSearch={setQuery} />
      <Chips label={words.which} labels={words.only} value={only} onChange={setOnly} />
      <Loaded of={users}>
        {(all) => all.length === 0 ? <p class="muted nothing">{words.none}</p> : (
          <ul class="rows" data-testid="accounts">
            {all.map((account) => <AccountRow key={account.id} account={account} onOpen={() => setOpen(account.id)} />)}
          </ul>
        )}
      </Loaded>
      <More of={users} />
      {open !== undefined && <AccountDialog id={open} onClose={() => setOpen(undefined)} onChange={() => void users.reload()} />}
    </>
  );
}

function AccountRow({ account, onOpen }: { account: Account; onOpen(): void }) {
  return (
    <li class="row" data-testid="account" data-user={account.username}>
      <Avatar user={account} />
      <div class="row-text">
        <strong>
          {nameOf(account)}
          <Tags account={account} />
        </strong>
        <p class="muted">@{account.username}{account.email && ` · ${account.email}`}</p>
      </div>
      <button type="button" class="button" data-testid="open-account" aria-label={words.openOf(nameOf(account))} onClick={onOpen}>{words.open}</button>
    </li>
  );
}
