/** How people are named to each other. */

import type { UserRef } from "../protocol";

export function nameOf(user: UserRef): string {
  return user.display_name === "" ? user.username : user.display_name;
}
