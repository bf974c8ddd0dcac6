/** Picking a sign to answer a message with. */

import { emoji, lastUsed } from "../state/emoji";
import { strings } from "../strings";
import { Dialog } from "./dialog";

export function ReactionPicker({ onPick, onClose }: { onPick(sign: string): void; onClose(): void }) {
  const others = emoji.filter((sign) => !lastUsed.value.includes(sign));
  return (
    <Dialog title={strings.conversation.react} onClose={onClose}>
      <Signs label={strings.conversation.lastUsed} signs={lastUsed.value} onPick={onPick} />
      <Signs label={strings.conversation.allSigns} signs={others} onPick={onPick} />
    </Dialog>
  );
}

function Signs({ label, signs, onPick }: { label: string; signs: readonly string[]; onPick(sign: string): void }) {
  return (
    <section class="signs">
      <h3>{label}</h3>
      <div>
        {signs.map((sign) => (
          <button key={sign} type="button" class="sign" data-testid="emoji" onClick={() => onPick(sign)}>{sign}</button>
        ))}
      </div>
    </section>
  );
}
