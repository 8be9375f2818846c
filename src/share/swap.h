/* SPDX-License-Identifier: Apache-2.0 */
/* share/swap: one file's name given to another file with the same content. */
#ifndef AM_SHARE_SWAP_H
#define AM_SHARE_SWAP_H

#include "share/inventory.h"

/* Makes item's name a hard link to kept's file, in one step: whoever opens the name finds one file or the other.
 * Both must still be the files that the items describe: ADAM_LIMIT else, and nothing has changed. */
adam_status am_swap_link(const am_item *kept, const am_item *item, adam_error *error);

#endif
