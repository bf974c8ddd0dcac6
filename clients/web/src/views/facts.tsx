/** What is known of something, as names and values. */

/** A fact without a value is left out. */
export function Facts({ of }: { of: readonly (readonly [string, string | null | undefined])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => value && (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
