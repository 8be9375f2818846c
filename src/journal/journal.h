/* SPDX-License-Identifier: Apache-2.0 */
/* journal: the ledger of models on this machine, in SQLite.
 * Purpose: remembers of each file of the stores its content's SHA-256, its size and inode, who owns it and where
 *   it came from, so that a file of gigabytes is hashed once. In, out: plain records; texts are copied. Threads:
 *   a journal by one thread at a time; any number of processes at once.
 * Invariant: the stores are the truth, this is only a record. A missing, locked, read-only or damaged ledger
 *   never stops work: every call accepts a NULL journal and then knows nothing; a damaged file is put aside
 *   and a new one begun, which the owner of the stores fills again. A row counts only while its file has the
 *   device, inode, size and mtime that it had when it was written. */
#ifndef AM_JOURNAL_JOURNAL_H
#define AM_JOURNAL_JOURNAL_H

#include <adam/status.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct am_journal am_journal;

typedef struct am_journal_record {
  const char *path;   /* absolute, of the file itself and not of a link to it; the key */
  const char *digest; /* SHA-256 of the content, 64 lower-case hex digits; NULL = unknown */
  uint64_t bytes, device, inode, mtime_ns;
  const char *store;  /* "huggingface", "ollama", "adam", "converted" */
  const char *owner;  /* the model it belongs to, as people call it; NULL = unknown */
  const char *origin; /* where the content came from, such as "converted hf:ORG/NAME q4_k_m"; NULL = unknown */
} am_journal_record;

/* path NULL: ledger.sqlite in adam's data folder, which is made. *rebuilt (may be NULL): the file was damaged;
 * it is beside the new one as NAME.damaged. ADAM_UNAVAILABLE: made by a newer version, or busy; ADAM_IO:
 * it cannot be made. *out stays NULL then. */
adam_status am_journal_open(const char *path, am_journal **out, bool *rebuilt, adam_error *error);
void am_journal_close(am_journal **journal);

/* Writes or replaces the row of record->path. A NULL digest, owner or origin keeps what the row had, the
 * digest only if the file is unchanged. */
adam_status am_journal_note(am_journal *journal, const am_journal_record *record, adam_error *error);
/* The content's digest of a file in exactly this state, whatever its path; false: not known. */
bool am_journal_digest(am_journal *journal, uint64_t device, uint64_t inode, uint64_t bytes, uint64_t mtime_ns,
                       char digest[65]);
/* What was said about a path, whatever the file has become; owned texts, empty ones as NULL. false: nothing. */
typedef struct am_journal_past {
  char *owner, *origin;
} am_journal_past;
bool am_journal_past_of(am_journal *journal, const char *path, am_journal_past *out);
void am_journal_past_close(am_journal_past *past);
adam_status am_journal_forget(am_journal *journal, const char *path, adam_error *error);
/* Every row, by path; or those of one digest. Borrowed for the call; true = stop. */
typedef bool (*am_journal_on_record)(void *user, const am_journal_record *record);
adam_status am_journal_each(am_journal *journal, const char *digest, am_journal_on_record on_record, void *user,
                            adam_error *error);
/* Several notes as one: faster, and all of them or none. end commits what begin opened. */
void am_journal_begin(am_journal *journal);
void am_journal_end(am_journal *journal);

#endif
