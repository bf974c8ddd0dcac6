/** The frame of a page that has sections: the way to each of them, and the one that is open. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { paths } from "../state/router";
import { strings } from "../strings";
import { Icon, type IconName } from "./icons";

interface SectionsProps<Name extends string> {
  title: string;
  testid: string;
  /** In the order they are offered. */
  names: readonly Name[];
  at: Name;
  labels: Record<Name, string>;
  icons: Record<Name, IconName>;
  path(name: Name): string;
  /** Where the arrow goes; to the rooms unless told. */
  back?: string;
  /** What stands below the names. */
  foot?: ComponentChildren;
  children: ComponentChildren;
}

export function Sections<Name extends string>(props: SectionsProps<Name>) {
  const { title, names, at, labels, icons, path } = props;
  const body = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = `${labels[at]} · ${strings.name}`;
    body.current?.scrollTo({ top: 0 });
    // Where the names are a strip, the chosen one may be out of sight.
    const chosen = list.current?.querySelector<HTMLElement>("[aria-current]");
    if (chosen) list.current?.scrollTo({ left: chosen.offsetLeft - 16 });
  }, [at]);
  return (
    <main class="page sections" id="main" tabIndex={-1} data-testid={props.testid}>
      <header class="bar">
        <a class={props.back === undefined ? "icon-button narrow-only" : "icon-button"} href={props.back ?? paths.rooms} aria-label={strings.common.back}>
          <Icon name="back" />
        </a>
        <h1>{title}</h1>
      </header>
      <nav class="section-names" aria-label={title} ref={list}>
        {names.map((name) => (
          <a key={name} href={path(name)} aria-current={name === at ? "page" : undefined} data-testid={`section-${name}`}>
            <Icon name={icons[name]} />
            {labels[name]}
          </a>
        ))}
        {props.foot}
      </nav>
      <div class="section-body" ref={body} key={at} data-section={at}>
        <h2>{labels[at]}</h2>
        {props.children}
      </div>
    </main>
  );
}
