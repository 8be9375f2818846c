/* SPDX-License-Identifier: Apache-2.0 */
/* cli: argv and terminal -> public calls.
 * Purpose: the command `adam`. Uses include/adam alone, so it proves that the public API is enough.
 *   In: argv, stdin, a terminal. Out: the answer on stdout and nothing else there; everything else on
 *   stderr; an exit code from adam_status_exit_code.
 * One table of commands and one of options (options.c) serve the parser, --help, did-you-mean, the
 *   man page, the page docs/commands.md and the shell completions (docs.c).
 * Threads: one, beside the progress line's while a model loads.
 * Invariant: an option or command stands in the table only once it works. */
#ifndef AM_CLI_OPTIONS_H
#define AM_CLI_OPTIONS_H

#include <adam/adam.h>

typedef enum am_command_id {
  AM_COMMAND_RUN,
  AM_COMMAND_TOKENIZE,
  AM_COMMAND_DETOKENIZE,
  AM_COMMAND_TEMPLATE,
  AM_COMMAND_SCORE,
  AM_COMMAND_EVAL,
  AM_COMMAND_BENCH,
  AM_COMMAND_EMBED,
  AM_COMMAND_RERANK,
  AM_COMMAND_PULL,
  AM_COMMAND_CONVERT,
  AM_COMMAND_LIST,
  AM_COMMAND_SHOW,
  AM_COMMAND_SHARE,
  AM_COMMAND_DU,
  AM_COMMAND_DEDUPE,
  AM_COMMAND_RM,
  AM_COMMAND_CP,
  AM_COMMAND_RENAME,
  AM_COMMAND_VERIFY,
  AM_COMMAND_PRESETS,
  AM_COMMAND_DOMAINS,
  AM_COMMAND_CONFIG,
  AM_COMMAND_BACKENDS,
  AM_COMMAND_VERSION,
  AM_COMMAND_HELP,
  AM_COMMAND_COUNT
} am_command_id;

typedef enum am_option_id {
  AM_OPTION_MODEL,
  AM_OPTION_SIZE,
  AM_OPTION_DOMAIN,
  AM_OPTION_PROFILE,
  AM_OPTION_BACKEND,
  AM_OPTION_DEVICE,
  AM_OPTION_CTX,
  AM_OPTION_THREADS,
  AM_OPTION_KV_TYPE,
  AM_OPTION_CACHE_DIR,
  AM_OPTION_SHARE_WITH_OLLAMA,
  AM_OPTION_OFFLINE,
  AM_OPTION_PULL,
  AM_OPTION_OLLAMA_HOST,
  AM_OPTION_KEEP_ALIVE,
  AM_OPTION_START,
  AM_OPTION_BASE_URL,
  AM_OPTION_API_KEY_FILE,
  AM_OPTION_SERVER_TIMEOUT,
  AM_OPTION_TYPE,
  AM_OPTION_SYSTEM,
  AM_OPTION_RAW,
  AM_OPTION_THINK,
  AM_OPTION_NO_THINK,
  AM_OPTION_HIDE_THINKING,
  AM_OPTION_TENSORS,
  AM_OPTION_DIGEST,
  AM_OPTION_TO,
  AM_OPTION_NAME,
  AM_OPTION_QUANTIZATION,
  AM_OPTION_DRY_RUN,
  AM_OPTION_YES,
  AM_OPTION_TEMPERATURE,
  AM_OPTION_TOP_P,
  AM_OPTION_TOP_K,
  AM_OPTION_MIN_P,
  AM_OPTION_REPETITION_PENALTY,
  AM_OPTION_PRESENCE_PENALTY,
  AM_OPTION_FREQUENCY_PENALTY,
  AM_OPTION_SEED,
  AM_OPTION_MAX_TOKENS,
  AM_OPTION_STOP,
  AM_OPTION_IGNORE_EOS,
  AM_OPTION_SCHEMA,
  AM_OPTION_GRAMMAR,
  AM_OPTION_REGEX,
  AM_OPTION_CHOICE,
  AM_OPTION_LOGPROBS,
  AM_OPTION_TOP_LOGPROBS,
  AM_OPTION_NO_SPECIAL,
  AM_OPTION_MESSAGES,
  AM_OPTION_TOOLS,
  AM_OPTION_TOOL_CHOICE,
  AM_OPTION_KWARGS,
  AM_OPTION_TEMPLATE,
  AM_OPTION_NO_GENERATION_PROMPT,
  AM_OPTION_IDS,
  AM_OPTION_LOGITS,
  AM_OPTION_TEXT_FILE,
  AM_OPTION_STRIDE,
  AM_OPTION_AGAINST,
  AM_OPTION_N_PROMPT,
  AM_OPTION_N_GEN,
  AM_OPTION_REPETITIONS,
  AM_OPTION_INPUT,
  AM_OPTION_PROMPT,
  AM_OPTION_PROMPT_NAME,
  AM_OPTION_DIMENSIONS,
  AM_OPTION_NORMALIZE,
  AM_OPTION_NO_NORMALIZE,
  AM_OPTION_QUERY,
  AM_OPTION_INSTRUCTION,
  AM_OPTION_JSON,
  AM_OPTION_QUIET,
  AM_OPTION_NO_STREAM,
  AM_OPTION_STATS,
  AM_OPTION_STRICT,
  AM_OPTION_HELP,
  AM_OPTION_COUNT
} am_option_id;

typedef enum am_option_kind {
  AM_KIND_FLAG,    /* takes no argument */
  AM_KIND_TEXT,    /* any text */
  AM_KIND_FILE,    /* a path; completions offer files */
  AM_KIND_FOLDER,  /* a path; completions offer folders */
  AM_KIND_REF,     /* the name of a model */
  AM_KIND_INTEGER, /* minimum .. maximum */
  AM_KIND_NUMBER,  /* minimum .. maximum */
  AM_KIND_CHOICE,  /* one of `choices` */
  AM_KIND_PRESET,  /* a preset's name; the user's own are known when the model is opened */
  AM_KIND_DOMAIN,  /* a domain's name, likewise */
  AM_KIND_BACKEND  /* "auto" or a registered backend */
} am_option_kind;

/* Headings of --help, in this order. */
typedef enum am_option_group {
  AM_GROUP_MODEL,
  AM_GROUP_INPUT,
  AM_GROUP_SAMPLING,
  AM_GROUP_OUTPUT,
  AM_GROUP_COUNT
} am_option_group;

typedef struct am_option {
  const char *name; /* "temperature", without the dashes */
  char letter;      /* 'm' for -m; 0 = none */
  bool repeatable;
  am_option_kind kind;
  am_option_group group;
  const char *argument; /* "REF"; NULL for flags */
  uint64_t commands;    /* bit 1 << am_command_id of those that take it */
  uint64_t required;    /* bits of those that cannot do without */
  double minimum, maximum;
  bool above_minimum;  /* the minimum itself is not allowed */
  bool below_maximum;  /* the maximum itself is not allowed */
  const char *choices; /* "auto|cpu|cuda" */
  const char *help;    /* a sentence without its full stop */
} am_option;

typedef struct am_example {
  const char *command; /* what to type */
  const char *says;    /* what it does; a sentence */
} am_example;

typedef struct am_command {
  const char *name;
  const char *positionals;                  /* "[REF] [PROMPT]"; "" = none */
  int32_t min_positionals, max_positionals; /* -1 = any number */
  bool needs_model;                         /* -m or --size must be given */
  const char *summary;                      /* one line, no full stop */
  const char *description;                  /* sentences */
  am_example examples[8];                   /* ends at the first NULL */
} am_command;

extern const am_command am_commands[AM_COMMAND_COUNT];
extern const am_option am_options[AM_OPTION_COUNT];
extern const char *const am_option_groups[AM_GROUP_COUNT];

/* What was typed. Strings are borrowed from argv; the three arrays are owned. */
typedef struct am_arguments {
  am_command_id command;
  bool is_set[AM_OPTION_COUNT];
  const char *text[AM_OPTION_COUNT];
  double number[AM_OPTION_COUNT];
  int64_t integer[AM_OPTION_COUNT];
  const char **stop;
  size_t n_stop;
  const char **choice;
  size_t n_choice;
  const char **positional;
  size_t n_positional;
} am_arguments;

/* Reads argv[1..]: `adam COMMAND [OPTIONS] [ARGUMENTS]`. ADAM_INVALID in words when something is
 * unknown, missing or out of range; *out is then zeroed. */
adam_status am_arguments_parse(int argc, char **argv, am_arguments *out, adam_error *error);
void am_arguments_close(am_arguments *arguments);

/* Checks `value` as the argument of `option` and stores what it means; label is what the error calls
 * it ("--seed"). */
typedef struct am_option_value {
  double number;
  int64_t integer;
} am_option_value;
adam_status am_option_check(am_option_id option, const char *label, const char *value, am_option_value *out,
                            adam_error *error);
/* Writes what the argument may be ("a number from 0 to 100", "one of auto, cpu, cuda"; "" = anything)
 * into out, always NUL-terminated. */
void am_option_allowed(am_option_id option, char *out, size_t capacity_bytes);
/* The index-th allowed value of a choice, preset or backend option; false past the end. */
bool am_option_choice(am_option_id option, size_t index, char *out, size_t capacity_bytes);

bool am_command_takes(am_command_id command, am_option_id option);
/* AM_COMMAND_COUNT = unknown. */
am_command_id am_command_find(const char *name);
/* Unknown command: fills the error, with the nearest name as a hint. */
adam_status am_command_unknown(const char *name, adam_error *error);

#endif
