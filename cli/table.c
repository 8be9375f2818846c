/* SPDX-License-Identifier: Apache-2.0 */
/* The two tables: every command and every option, in the order of --help. */
#include "options.h"

#define RUN (1u << AM_COMMAND_RUN)
#define TOKENIZE (1u << AM_COMMAND_TOKENIZE)
#define DETOKENIZE (1u << AM_COMMAND_DETOKENIZE)
#define TEMPLATE (1u << AM_COMMAND_TEMPLATE)
#define SCORE (1u << AM_COMMAND_SCORE)
#define BENCH (1u << AM_COMMAND_BENCH)
#define LIST (1u << AM_COMMAND_LIST)
#define SHOW (1u << AM_COMMAND_SHOW)
#define BACKENDS (1u << AM_COMMAND_BACKENDS)
#define VERSION (1u << AM_COMMAND_VERSION)
#define WITH_MODEL (RUN | TOKENIZE | DETOKENIZE | TEMPLATE | SCORE | BENCH | SHOW)
#define WITH_WEIGHTS (RUN | SCORE | BENCH | SHOW)
#define ALL ((1u << AM_COMMAND_COUNT) - 1u)

const am_command am_commands[AM_COMMAND_COUNT] = {
    [AM_COMMAND_RUN] =
        {"run", "[REF] [PROMPT]", 0, 2, false, "Generate an answer, or chat",
         "Generates an answer to PROMPT with the model REF. With -m or --size the first argument is the "
         "PROMPT. A PROMPT of - reads standard input, as does no PROMPT where standard input is no "
         "terminal; what is read is taken as it is. With no PROMPT on a terminal a chat begins: /help "
         "there lists its commands. Without REF adam chooses a model that is on this machine and says "
         "which. The answer goes to standard output, everything else to standard error.",
         {{"adam run demo \"How do I list my models?\"", "Ask the small model that ships with adam."},
          {"adam run smollm2", "Chat in the terminal."},
          {"adam run -m ./model.gguf --system \"Be brief.\" - < question.txt", "Answer a file."},
          {"adam run demo --raw --temperature 0 --json \"Hello\"", "Continue a text, greedily, as JSON."}}},
    [AM_COMMAND_TOKENIZE] =
        {"tokenize", "TEXT|-", 1, 1, true, "Turn text into token ids",
         "Prints the token ids of TEXT, or of standard input for -. Only the tokenizer's files are needed.",
         {{"adam tokenize -m demo \"Hello world\"", "Print the ids."},
          {"adam tokenize -m demo --json - < text.txt", "Ids and tokens of a file, as JSON."}}},
    [AM_COMMAND_DETOKENIZE] =
        {"detokenize", "ID...|-", 1, -1, true, "Turn token ids into text",
         "Prints the text of the ids, special tokens included. Ids are separated by spaces or commas; - "
         "reads them from standard input. A line end is added on a terminal only.",
         {{"adam detokenize -m demo 12 34 56", "Print the text of three tokens."}}},
    [AM_COMMAND_TEMPLATE] =
        {"template", "", 0, 0, true, "Render a conversation as the model's prompt",
         "Prints the prompt text that the model's chat template makes of the messages, byte for byte and "
         "with nothing added. Only the tokenizer's files are needed.",
         {{"adam template -m demo --messages chat.json", "Render a conversation."},
          {"adam template -m demo --messages - --kwargs '{\"enable_thinking\": false}' < chat.json",
           "Set a variable of the template."}}},
    [AM_COMMAND_SCORE] =
        {"score", "", 0, 0, true, "Score a given sequence of tokens",
         "Runs the model over the given ids (teacher forcing) and prints JSON: the natural log probability "
         "of each token after the first and nll, minus their sum. --logits also saves the logits as a "
         "NumPy array, float32 (n_tokens, vocabulary).",
         {{"adam score -m demo --ids 1,2,3", "Score three tokens."},
          {"adam score -m demo --ids @ids.txt --logits logits.npy", "Save the logits too."}}},
    [AM_COMMAND_BENCH] =
        {"bench", "", 0, 0, true, "Measure speed",
         "Measures prefill and decode speed in tokens per second: the median and the spread (largest minus "
         "smallest) over the repetitions, after one warm-up that is not counted; then the time to the "
         "first token and the time to load.",
         {{"adam bench -m smollm2", "Measure with the usual sizes."},
          {"adam bench -m demo -p 128 -n 32 -r 3 -t 2 --json", "Smaller, two threads, as JSON."}}},
    [AM_COMMAND_LIST] =
        {"list", "", 0, 0, false, "List the models on this machine",
         "Lists every model that a backend could open here, over all stores.",
         {{"adam list", "List them."}, {"adam list --json", "As JSON."}}},
    [AM_COMMAND_SHOW] =
        {"show", "[REF]", 0, 1, false, "Show facts about a model",
         "Shows the architecture, size, context, weight type and the sampling values that come with a model "
         "(its generation_config.json), which are used where an option says nothing.",
         {{"adam show demo", "Facts about the model that ships with adam."}}},
    [AM_COMMAND_BACKENDS] = {"backends", "", 0, 0, false, "List the backends",
                             "Lists the backends that are built in, whether each can be used here, and why not.",
                             {{"adam backends", "List them."}}},
    [AM_COMMAND_VERSION] = {"version", "", 0, 0, false, "Print the version",
                            "Prints the version of adam, the processor and its instruction tier.",
                            {{"adam version", "Print it."}}},
    [AM_COMMAND_HELP] = {"help", "[COMMAND]", 0, 1, false, "Explain a command",
                         "Explains a command and its options, or lists the commands.",
                         {{"adam help run", "Explain `adam run`."}}},
};

const char *const am_option_groups[AM_GROUP_COUNT] = {
    [AM_GROUP_MODEL] = "Model",
    [AM_GROUP_INPUT] = "Input",
    [AM_GROUP_SAMPLING] = "Sampling",
    [AM_GROUP_OUTPUT] = "Output",
};

const am_option am_options[AM_OPTION_COUNT] = {
    [AM_OPTION_MODEL] = {.name = "model", .letter = 'm', .kind = AM_KIND_REF, .argument = "REF",
                         .commands = WITH_MODEL,
                         .help = "the model: a preset, ORG/NAME, a file or folder, or mock:SCRIPT"},
    [AM_OPTION_SIZE] = {.name = "size", .kind = AM_KIND_PRESET, .argument = "PRESET", .commands = WITH_MODEL,
                        .help = "the model by the name of a preset"},
    [AM_OPTION_BACKEND] = {.name = "backend", .kind = AM_KIND_BACKEND, .argument = "NAME",
                           .commands = WITH_MODEL, .help = "the backend that runs the model"},
    [AM_OPTION_DEVICE] = {.name = "device", .kind = AM_KIND_CHOICE, .argument = "DEVICE",
                          .choices = "auto|cpu|cuda", .commands = WITH_WEIGHTS,
                          .help = "where to compute; auto says what it took"},
    [AM_OPTION_CTX] = {.name = "ctx", .kind = AM_KIND_INTEGER, .argument = "N", .minimum = 1,
                       .maximum = 2147483647, .commands = WITH_WEIGHTS,
                       .help = "context in tokens; unset: the model's own, within reason"},
    [AM_OPTION_THREADS] = {.name = "threads", .letter = 't', .kind = AM_KIND_INTEGER, .argument = "N",
                           .minimum = 1, .maximum = 1024, .commands = WITH_WEIGHTS,
                           .help = "threads; unset: ADAM_THREADS, else one for each processor"},
    [AM_OPTION_KV_TYPE] = {.name = "kv-type", .kind = AM_KIND_CHOICE, .argument = "TYPE",
                           .choices = "f32|f16", .commands = WITH_WEIGHTS,
                           .help = "how the KV cache is stored; unset: f32"},
    [AM_OPTION_CACHE_DIR] = {.name = "cache-dir", .kind = AM_KIND_FOLDER, .argument = "DIR",
                             .commands = WITH_MODEL | LIST,
                             .help = "the Hugging Face hub cache, the folder that holds models--*"},
    [AM_OPTION_SYSTEM] = {.name = "system", .kind = AM_KIND_TEXT, .argument = "TEXT",
                          .group = AM_GROUP_INPUT, .commands = RUN, .help = "the system message"},
    [AM_OPTION_RAW] = {.name = "raw", .kind = AM_KIND_FLAG, .group = AM_GROUP_INPUT, .commands = RUN,
                       .help = "take the prompt as it is: special tokens are recognised, no chat template"},
    [AM_OPTION_THINK] = {.name = "think", .kind = AM_KIND_FLAG, .group = AM_GROUP_INPUT,
                         .commands = RUN | TEMPLATE, .help = "ask the model to think first, where it can"},
    [AM_OPTION_NO_THINK] = {.name = "no-think", .kind = AM_KIND_FLAG, .group = AM_GROUP_INPUT,
                            .commands = RUN | TEMPLATE, .help = "ask the model not to think first"},
    [AM_OPTION_TEMPERATURE] = {.name = "temperature", .kind = AM_KIND_NUMBER, .argument = "T",
                               .group = AM_GROUP_SAMPLING, .minimum = 0, .maximum = 100, .commands = RUN,
                               .help = "how freely to choose; 0 always takes the likeliest token"},
    [AM_OPTION_TOP_P] = {.name = "top-p", .kind = AM_KIND_NUMBER, .argument = "P",
                         .group = AM_GROUP_SAMPLING, .minimum = 0, .above_minimum = true, .maximum = 1,
                         .commands = RUN, .help = "choose among the likeliest tokens that hold this probability"},
    [AM_OPTION_TOP_K] = {.name = "top-k", .kind = AM_KIND_INTEGER, .argument = "K",
                         .group = AM_GROUP_SAMPLING, .minimum = 0, .maximum = 2147483647, .commands = RUN,
                         .help = "choose among the K likeliest tokens; 0 is off"},
    [AM_OPTION_MIN_P] = {.name = "min-p", .kind = AM_KIND_NUMBER, .argument = "P",
                         .group = AM_GROUP_SAMPLING, .minimum = 0, .maximum = 1, .below_maximum = true,
                         .commands = RUN, .help = "drop tokens below this share of the best; 0 is off"},
    [AM_OPTION_REPETITION_PENALTY] = {.name = "repetition-penalty", .kind = AM_KIND_NUMBER, .argument = "X",
                                      .group = AM_GROUP_SAMPLING, .minimum = 0, .above_minimum = true,
                                      .maximum = 100, .commands = RUN,
                                      .help = "weaken tokens of prompt and answer; 1 is off"},
    [AM_OPTION_PRESENCE_PENALTY] = {.name = "presence-penalty", .kind = AM_KIND_NUMBER, .argument = "X",
                                    .group = AM_GROUP_SAMPLING, .minimum = -100, .maximum = 100,
                                    .commands = RUN, .help = "weaken tokens that the answer has; 0 is off"},
    [AM_OPTION_FREQUENCY_PENALTY] = {.name = "frequency-penalty", .kind = AM_KIND_NUMBER, .argument = "X",
                                     .group = AM_GROUP_SAMPLING, .minimum = -100, .maximum = 100,
                                     .commands = RUN,
                                     .help = "weaken tokens by how often the answer has them; 0 is off"},
    [AM_OPTION_SEED] = {.name = "seed", .kind = AM_KIND_INTEGER, .argument = "N", .group = AM_GROUP_SAMPLING,
                        .minimum = 0, .maximum = 9223372036854775807.0, .commands = RUN,
                        .help = "the same seed gives the same answer"},
    [AM_OPTION_MAX_TOKENS] = {.name = "max-tokens", .kind = AM_KIND_INTEGER, .argument = "N",
                              .group = AM_GROUP_SAMPLING, .minimum = 0, .maximum = 2147483647,
                              .commands = RUN, .help = "most tokens to generate"},
    [AM_OPTION_STOP] = {.name = "stop", .kind = AM_KIND_TEXT, .argument = "TEXT", .repeatable = true,
                        .group = AM_GROUP_SAMPLING, .commands = RUN,
                        .help = "end the answer before this text; may be given several times"},
    [AM_OPTION_IGNORE_EOS] = {.name = "ignore-eos", .kind = AM_KIND_FLAG, .group = AM_GROUP_SAMPLING,
                              .commands = RUN, .help = "go on after the model's end token"},
    [AM_OPTION_NO_SPECIAL] = {.name = "no-special", .kind = AM_KIND_FLAG, .group = AM_GROUP_INPUT,
                              .commands = TOKENIZE,
                              .help = "add no special tokens; those written in the text still count"},
    [AM_OPTION_MESSAGES] = {.name = "messages", .kind = AM_KIND_FILE, .argument = "FILE",
                            .group = AM_GROUP_INPUT, .commands = TEMPLATE, .required = TEMPLATE,
                            .help = "JSON list of {\"role\",\"content\",...}; - reads standard input"},
    [AM_OPTION_TOOLS] = {.name = "tools", .kind = AM_KIND_FILE, .argument = "FILE", .group = AM_GROUP_INPUT,
                         .commands = TEMPLATE, .help = "JSON list of tool schemas"},
    [AM_OPTION_KWARGS] = {.name = "kwargs", .kind = AM_KIND_TEXT, .argument = "JSON",
                          .group = AM_GROUP_INPUT, .commands = TEMPLATE,
                          .help = "JSON object of variables for the template, merged last"},
    [AM_OPTION_TEMPLATE] = {.name = "template", .kind = AM_KIND_FILE, .argument = "FILE",
                            .group = AM_GROUP_INPUT, .commands = TEMPLATE,
                            .help = "a Jinja template to use instead of the model's own"},
    [AM_OPTION_NO_GENERATION_PROMPT] = {.name = "no-generation-prompt", .kind = AM_KIND_FLAG,
                                        .group = AM_GROUP_INPUT, .commands = TEMPLATE,
                                        .help = "do not open the assistant's turn at the end"},
    [AM_OPTION_IDS] = {.name = "ids", .kind = AM_KIND_TEXT, .argument = "IDS", .group = AM_GROUP_INPUT,
                       .commands = SCORE, .required = SCORE,
                       .help = "token ids: 1,2,3 or @FILE, or - for standard input"},
    [AM_OPTION_LOGITS] = {.name = "logits", .kind = AM_KIND_FILE, .argument = "OUT.npy",
                          .group = AM_GROUP_OUTPUT, .commands = SCORE,
                          .help = "save the logits, float32 (n_tokens, vocabulary)"},
    [AM_OPTION_N_PROMPT] = {.name = "n-prompt", .letter = 'p', .kind = AM_KIND_INTEGER, .argument = "N",
                            .group = AM_GROUP_INPUT, .minimum = 1, .maximum = 1000000, .commands = BENCH,
                            .help = "tokens of the prompt; unset: 512"},
    [AM_OPTION_N_GEN] = {.name = "n-gen", .letter = 'n', .kind = AM_KIND_INTEGER, .argument = "N",
                         .group = AM_GROUP_INPUT, .minimum = 2, .maximum = 1000000, .commands = BENCH,
                         .help = "tokens to generate; unset: 128"},
    [AM_OPTION_REPETITIONS] = {.name = "repetitions", .letter = 'r', .kind = AM_KIND_INTEGER,
                               .argument = "N", .group = AM_GROUP_INPUT, .minimum = 1, .maximum = 1000,
                               .commands = BENCH, .help = "repetitions; unset: 5"},
    [AM_OPTION_JSON] = {.name = "json", .kind = AM_KIND_FLAG, .group = AM_GROUP_OUTPUT,
                        .commands = RUN | TOKENIZE | DETOKENIZE | SCORE | BENCH | LIST | SHOW | BACKENDS | VERSION,
                        .help = "print one JSON object"},
    [AM_OPTION_NO_STREAM] = {.name = "no-stream", .kind = AM_KIND_FLAG, .group = AM_GROUP_OUTPUT,
                             .commands = RUN, .help = "print the answer at the end, not as it comes"},
    [AM_OPTION_STATS] = {.name = "stats", .kind = AM_KIND_FLAG, .group = AM_GROUP_OUTPUT, .commands = RUN,
                         .help = "print speeds and counts on standard error"},
    [AM_OPTION_STRICT] = {.name = "strict", .kind = AM_KIND_FLAG, .group = AM_GROUP_OUTPUT,
                          .commands = RUN, .help = "fail where something is not done as asked"},
    [AM_OPTION_HELP] = {.name = "help", .letter = 'h', .kind = AM_KIND_FLAG, .group = AM_GROUP_OUTPUT,
                        .commands = ALL, .help = "explain the command"},
};
