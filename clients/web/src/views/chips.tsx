/** A few ways to look at one list, of which one is chosen. */

interface ChipsProps<Labels extends Record<string, string>> {
  label: string;
  labels: Labels;
  value: keyof Labels & string;
  onChange(name: keyof Labels & string): void;
}

export function Chips<Labels extends Record<string, string>>({ label, labels, value, onChange }: ChipsProps<Labels>) {
  return (
    <div class="chips" role="group" aria-label={label}>
      {(Object.keys(labels) as (keyof Labels & string)[]).map((name) => (
        <button key={name} type="button" class="chip" aria-pressed={name === value} data-testid={`only-${name}`} onClick={() => onChange(name)}>
          {labels[name]}
        </button>
      ))}
    </div>
  );
}
