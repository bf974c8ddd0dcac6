/** Reports of messages, and what becomes of them: of one room for its moderators, of every room for server admins. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { Id, Page, Report, ReportState } from "@chatx/sdk";
import { rooms } from "../state/chat";
import { nameOf, roomTitle } from "../state/names";
import { knownName } from "../state/people";
import type { RoomState } from "../state/room";
import { paths } from "../state/router";
import { api, me } from "../state/session";
import { moment } from "../state/times";
import { attempt } from "../state/toasts";
import { strings } from "../strings";
import { Avatar } from "./avatar";
import { Chips } from "./chips";
import { Loaded, More, usePages } from "./loaded";

type Shown = ReportState | "all";

interface QueueProps {
  ask(part: { cursor?: string; state?: ReportState }): Promise<Page<"reports", Report>>;
  close(report: Report, state: ReportState): Promise<unknown>;
  /** How many are open, as far as that is known. */
  count?: number | undefined;
  /** Whether one may delete what is reported. */
  deletes: boolean;
  /** Whether it is said which room a report is of. */
  showsRoom?: boolean;
}

export function RoomReports({ room }: { room: RoomState }) {
  return <Queue ask={(part) => api.reports(room.id, part)} close={(report, state) => api.closeReport(room.id, report.id, state)} count={room.openReports.value} deletes />;
}

export function AllReports() {
  return <Queue ask={(part) => api.allReports(part)} close={(report, state) => api.closeAnyReport(report.id, state)} deletes={false} showsRoom />;
}

function Queue({ ask, close, count, deletes, showsRoom }: QueueProps) {
  const [shown, setShown] = useState<Shown>("open");
  const reports = usePages("reports", (part) => ask({ ...part, ...(shown === "all" ? {} : { state: shown }) }), shown);
  // Others report, and see to reports, meanwhile.
  const seen = useRef(count);
  useEffect(() => {
    if (seen.current !== undefined && count !== seen.current) void reports.reload();
    seen.current = count;
  }, [count]);
  const act = (action: () => Promise<unknown>) => void attempt(action).then(() => reports.reload());
  return (
    <>
      <Chips label={strings.reports.which} labels={strings.reports.shown} value={shown} onChange={setShown} />
      <Loaded of={reports}>
        {(all) => all.length === 0 ? <p class="muted nothing">{strings.reports.none[shown]}</p> : (
          <ul class="rows" data-testid="reports">
            {all.map((report) => (
              <li key={report.id} class="report" data-testid="report-entry" data-state={report.state}>
                <About report={report} showsRoom={showsRoom === true} />
                <p class="actions">
                  {report.state === "open" ? (
                    <>
                      <button type="button" class="button" data-testid="resolve" onClick={() => act(() => close(report, "resolved"))}>{strings.reports.resolve}</button>
                      <button type="button" class="button" data-testid="dismiss-report" onClick={() => act(() => close(report, "dismissed"))}>{strings.reports.dismiss}</button>
                      {deletes && report.body != null && (
                        <button type="button" class="button bad" data-testid="delete-reported" onClick={() => act(() => api.delete(report.room, report.seq))}>
                          {strings.reports.delete}
                        </button>
                      )}
                    </>
                  ) : (
                    <button type="button" class="button" data-testid="reopen" onClick={() => act(() => close(report, "open"))}>{strings.reports.reopen}</button>
                  )}
                </p>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <More of={reports} />
    </>
  );
}

function About({ report, showsRoom }: { report: Report; showsRoom: boolean }) {
  const room = rooms.value.get(report.room);
  return (
    <>
      <p class="report-head">
        <Avatar user={report.sender} small />
        <strong>{nameOf(report.sender)}</strong>
        <span class="tag bad">{strings.reports.reasons[report.reason]}</span>
        {showsRoom && <RoomOf id={report.room} room={room} />}
        {room !== undefined && report.body != null && <a href={paths.message(report.room, report.seq)}>{strings.reports.goTo}</a>}
      </p>
      <blockquote class={report.body == null ? "quote muted" : "quote"}>{report.body ?? strings.reports.gone}</blockquote>
      <p class="muted">
        {strings.reports.by(report.reporter.id === me.value?.id ? strings.rooms.you : nameOf(report.reporter), moment(report.created_at))}
        {report.note && <> · “{report.note}”</>}
      </p>
      {report.closed_at != null && report.state !== "open" && (
        <p class="muted">{strings.reports.closed[report.state](report.closed_by ? knownName(report.closed_by) : strings.admin.audit.unknown, moment(report.closed_at))}</p>
      )}
    </>
  );
}

function RoomOf({ id, room }: { id: Id; room: RoomState | undefined }) {
  return <span class="muted">{room === undefined ? strings.reports.inRoom(id.slice(0, 8)) : strings.reports.inRoom(roomTitle(room))}</span>;
}
