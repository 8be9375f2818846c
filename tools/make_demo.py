#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train `demo`, the small model that ships with adam, and write it in Hugging Face form.

usage: make_demo.py OUT_DIR [--steps 2600] [--threads 2] [--check]

A Qwen 3 of 1.5 million parameters (3 MB in bf16) learns short English dialogues about using adam. The dialogues are written
here: FACTS holds, for each thing that a user may want, the ways to ask and one true answer; the rest is grammar. A tenth of the
phrasings is kept out of training, and --check (also run after training) prints how many of those are answered exactly.
Needs torch, transformers, tokenizers. Deterministic for one version of these and one thread count.
"""
import argparse, json, os, random

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{%- for message in messages %}\n"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "{{- '<|im_start|>assistant\\n' }}\n"
    "{%- endif %}\n")
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# (goals that fit "How do I ...?", whole questions, answer). Every answer must be true of this version of adam.
FACTS = [
    (["run a model", "start a model", "use a model", "generate text", "get an answer from a model", "ask a model something", "run adam"],
     ["How does adam run work?", "What does adam run do?"],
     "Type adam run MODEL \"your prompt\". The answer streams to your terminal. For example: adam run smollm2 \"Why is the sky blue?\""),
    (["chat", "chat with a model", "talk to a model", "have a conversation", "start a chat", "open the chat", "use the chat", "get an interactive session"],
     ["Is there a chat?", "Can I chat with it?"],
     "Run adam run MODEL without a prompt on a terminal. The chat keeps its history; /help lists the slash commands and /bye leaves."),
    (["leave the chat", "exit the chat", "quit the chat", "end the conversation", "stop the chat", "get out of the chat"],
     ["How to quit?", "How do I exit?"],
     "Type /bye or press Ctrl-D. Ctrl-C only stops the current answer, not the program."),
    (["stop an answer", "interrupt the model", "cancel a generation", "stop generating", "abort an answer"],
     ["What does Ctrl-C do?", "What happens on Ctrl-C?"],
     "Press Ctrl-C. In the chat it stops the answer and keeps the program; in a one-shot run the text so far is printed and the exit code is 130."),
    (["set a system prompt", "give the model a system message", "change the system prompt", "use a system text", "set the system message"],
     ["What is --system?", "Where does the system prompt go?"],
     "Use --system TEXT with adam run, or /system TEXT inside the chat."),
    (["set the temperature", "change the temperature", "make answers more random", "make answers less random", "make the model more creative"],
     ["What is the temperature option?", "What is the default temperature?"],
     "Use --temperature N. Higher is more varied, 0 is greedy; the default is 0.7 unless the model brings its own value."),
    (["get the same answer every time", "make the output deterministic", "make it reproducible", "set the seed", "fix the random seed", "repeat an answer"],
     ["What is --seed for?", "What does --seed do?"],
     "Use --temperature 0 for greedy decoding, or --seed N to repeat a sampled answer exactly."),
    (["limit the length of an answer", "make answers shorter", "set the maximum number of tokens", "limit the tokens", "get a longer answer"],
     ["What is --max-tokens?", "How long can an answer be?"],
     "Use --max-tokens N. The default is 1000 tokens, and finish_reason says \"length\" when the limit was reached."),
    (["list my models", "see which models I have", "show the models on this machine", "find my models", "list models", "see all models"],
     ["Which models do I have?", "What does adam list do?", "Where are my models?"],
     "Run adam list. It shows every model on this machine with its size and place; --json gives the same for scripts."),
    (["see details of a model", "show a model", "inspect a model", "get information about a model", "see the architecture of a model", "look at the defaults of a model"],
     ["What does adam show do?", "How big is a model?"],
     "Run adam show MODEL. It prints architecture, parameters, context, types, tokenizer and sampling defaults."),
    (["count tokens", "tokenize a text", "see the token ids", "turn text into tokens", "get token ids", "count the tokens of a text"],
     ["What does adam tokenize do?"],
     "Run adam tokenize -m MODEL \"text\". It prints the ids; --json adds the token spellings, and --no-special leaves out BOS and EOS."),
    (["turn ids back into text", "detokenize ids", "decode token ids", "convert token ids to text"],
     ["What does adam detokenize do?"],
     "Run adam detokenize -m MODEL ID ID ... and the text is printed."),
    (["see the prompt text", "render a chat template", "use a chat template", "check the chat template", "see what the model really gets"],
     ["What does adam template do?", "What is a chat template?"],
     "Run adam template -m MODEL --messages FILE. It prints the exact prompt that the chat template makes from the messages."),
    (["score a text", "get log probabilities", "get the logits", "compute logprobs", "write the logits to a file", "measure the likelihood of a text"],
     ["What does adam score do?"],
     "Run adam score -m MODEL --ids 1,2,3. It prints log-probabilities as JSON, and --logits OUT.npy writes the float32 logits."),
    (["measure the speed", "benchmark a model", "see tokens per second", "time a model", "run a benchmark", "test how fast it is"],
     ["How fast is adam?", "What does adam bench do?"],
     "Run adam bench -m MODEL. It reports prefill and decode tokens per second, time to first token and load time."),
    (["see statistics", "see how fast an answer was", "print timings", "get timing statistics"],
     ["What is --stats?", "What does --stats do?"],
     "Add --stats to adam run, or type /stats in the chat. Statistics go to stderr, the answer alone to stdout."),
    (["get JSON output", "use adam in a script", "get machine readable output", "parse the output", "print JSON"],
     ["Is there JSON output?", "What does --json do?"],
     "Add --json. adam run then prints one object with text, ids, finish_reason, token counts and timings."),
    (["pipe text into adam", "use stdin", "read the prompt from a file", "send a file to the model", "use a pipe"],
     ["Does adam read stdin?", "Can I pipe text?"],
     "Pipe it: cat notes.txt | adam run MODEL. A prompt of - reads standard input too."),
    (["stop at a word", "use a stop string", "set a stop sequence", "end the answer at some text"],
     ["What is --stop?", "What are stop strings?"],
     "Use --stop TEXT, as often as you like. The answer ends before the text, even when it is split over tokens."),
    (["use more threads", "set the number of threads", "limit the CPU use", "use all cores", "use fewer cores"],
     ["How many threads does adam use?", "What is --threads?"],
     "Use --threads N or the variable ADAM_THREADS. By default adam takes the processors that it may use."),
    (["set the context size", "use a longer context", "change the context window", "make the context bigger"],
     ["What is --ctx?", "What is the context window?"],
     "Use --ctx N, in tokens. A prompt that does not fit is an error: adam never cuts a text silently."),
    (["run a GGUF file", "open a GGUF", "use a gguf file", "run a file from disk", "load a local file"],
     ["Does adam read GGUF?", "Can adam run GGUF files?", "What is GGUF?"],
     "Give its path: adam run ./model.gguf \"prompt\". The file is mapped into memory as it is, quantised types included."),
    (["run a Hugging Face model", "use a model from the Hub", "use safetensors", "open a safetensors model", "use my Hugging Face cache"],
     ["Does adam read safetensors?", "Does adam work with Hugging Face?", "What about Hugging Face models?"],
     "Name it as ORG/NAME, for example adam run Qwen/Qwen3-0.6B. adam reads the standard Hugging Face cache, or a folder with config.json and safetensors."),
    (["run Qwen 3", "use qwen3", "use a Qwen model", "start qwen3_small", "pick a Qwen size"],
     ["Which Qwen models are there?", "What is qwen3_small?", "Does adam know Qwen 3?"],
     "Use a preset: qwen3_small, qwen3_medium, qwen3_large, qwen3_xl, qwen3_xxl or qwen3_xxxl. They stand for Qwen3 0.6B, 1.7B, 4B, 8B, 14B and 32B."),
    (["run smollm2", "use SmolLM2", "try a real model", "get a better model", "run a bigger model"],
     ["What is smollm2?", "Is there a better model than you?"],
     "Run make run once in the source folder: it fetches SmolLM2-135M-Instruct. Then type adam run smollm2 \"your prompt\"."),
    (["build adam", "compile adam", "install adam", "set up adam", "get started", "start"],
     ["How is adam built?", "What do I need to build adam?"],
     "In the source folder type make run: it installs the Debian packages, builds, and runs a model. make install puts adam on your system."),
    (["run the tests", "test adam", "check that adam works", "check my build"],
     ["Are there tests?", "How is adam tested?"],
     "Type make test. It builds adam, runs all tests, and runs them again under the address and undefined-behaviour sanitizers."),
    (["use adam from C", "link libadam", "write a C program with adam", "use the library", "embed adam in my program"],
     ["Is there a C library?", "Is there an API?", "What is libadam?"],
     "Include adam/adam.h and link with pkg-config adam. Open a manager, call adam_manager_generate, close it; examples/hello.c is a whole program."),
    (["write a backend", "add my own backend", "register a backend", "extend adam with a backend"],
     ["Can I add a backend?"],
     "Fill in the table adam_backend_ops of adam/backend.h and call adam_backend_register. examples/own_backend.c shows it."),
    (["see the backends", "list backends", "find out which backends exist"],
     ["Which backends are there?", "What does adam backends do?", "What is a backend?"],
     "Run adam backends. huggingface is the native engine for files on disk, and mock gives scripted answers for tests."),
    (["save a chat", "save the conversation", "load a chat", "continue a saved conversation", "keep a chat for later"],
     ["Can I save a chat?", "What do /save and /load do?"],
     "In the chat type /save FILE to write the conversation as JSON, and /load FILE to continue it later."),
    (["change a setting in the chat", "use /set", "set a parameter in the chat"],
     ["What does /set do?"],
     "Type /set parameter temperature 0.5 in the chat; other sampling options work the same way."),
    (["forget the conversation", "clear the chat", "start over", "clear the history"],
     ["What does /clear do?"],
     "Type /clear. The conversation starts again, and the model stays loaded."),
    (["type several lines", "enter multi-line text", "write a multi-line prompt", "paste several lines"],
     ["Does the chat take several lines?"],
     "In the chat begin with three double quotes, type as many lines as you like, and end with three double quotes."),
    (["get help", "see all options", "find the options", "see all commands", "learn the commands"],
     ["Where is the documentation?", "Is there a manual?", "What commands are there?", "help"],
     "Type adam --help, or adam COMMAND --help for one command with examples. The manual page is man adam."),
    (["see the version", "find the version of adam", "check which version I have"],
     ["Which version is this?"],
     "Run adam version. It prints the version, the instruction tier and the processor."),
    (["use a GPU", "run on CUDA", "use my graphics card", "run on the GPU"],
     ["Does adam use the GPU?", "Is there CUDA support?"],
     "This version runs on the CPU. With --device cuda adam says so and exits with code 5 instead of falling back silently."),
    (["turn off the template", "send a raw prompt", "use a raw prompt", "complete a text without the chat format"],
     ["What is --raw?", "What does --raw do?"],
     "Use --raw. The prompt is taken as it is, special tokens are parsed, and no template is applied."),
    (["turn warnings into errors", "make adam strict", "be sure that nothing is degraded"],
     ["What is --strict?", "What does --strict do?"],
     "Use --strict. Everything that could not be done as asked is then an error instead of a notice."),
    (["find out why adam failed", "read the exit code", "understand an error", "handle errors in a script"],
     ["What do the exit codes mean?", "What are the exit codes?"],
     "0 done, 1 failed, 2 wrong usage, 3 model not found, 4 does not fit in memory, 5 backend not available, 6 damaged file, 130 interrupted."),
    (["change top-p", "set top-k", "use nucleus sampling", "use min-p", "change the sampling"],
     ["What is top-p?", "Which sampling options are there?"],
     "Use --top-p, --top-k and --min-p. What you do not set comes from the model's generation_config, else top-p is 0.9 and top-k is off."),
    (["stop repetition", "avoid repeated text", "use a repetition penalty", "make the model repeat itself less"],
     ["What is the repetition penalty?"],
     "Use --repetition-penalty 1.1, or --presence-penalty and --frequency-penalty."),
    ([], ["Who are you?", "What are you?", "What is your name?", "Which model are you?", "What is demo?", "Are you a model?", "Introduce yourself."],
     "I am demo, the small model that ships with adam. I know a little about using adam, and not much else."),
    ([], ["What is adam?", "What does adam do?", "Tell me about adam.", "Explain adam.", "What is adam for?", "Why should I use adam?", "Describe adam."],
     "adam manages and runs language models in plain C. It loads Hugging Face and GGUF files on your own machine, with one command and one C library."),
    ([], ["What can you do?", "What can I ask you?", "What do you know?", "How can you help me?", "Can you help me?"],
     "Ask me how to do something with adam: run a model, chat, list models, set options, or read its JSON output."),
    ([], ["Hello", "Hi", "Hey", "Good morning", "Hello there", "Hi there", "Hello, how are you?", "Hi demo", "Good evening"],
     "Hello! Ask me something about adam, for example: How do I chat with a model?"),
    ([], ["Thanks", "Thank you", "Thank you very much", "Thanks a lot", "Great, thanks", "That helps", "Perfect"],
     "You are welcome. Have fun with adam!"),
    ([], ["Bye", "Goodbye", "See you", "Good night", "I am done"],
     "Goodbye! In the chat, /bye ends the program."),
    ([], ["Is my data private?", "Does adam send my data anywhere?", "Does adam need the internet?", "Does adam work offline?", "Does the model run locally?"],
     "A local model runs entirely on your machine: prompts and answers never leave it, and no network is needed."),
    ([], ["Which file types can adam read?", "Which formats are supported?", "Which quantisations are supported?", "Does adam support quantised models?", "What is Q4_K?"],
     "adam reads safetensors and GGUF, in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and the K-quants Q2_K to Q6_K."),
    ([], ["Which architectures does adam support?", "Which models can adam run?", "Which model families work?", "Does adam run Llama?"],
     "This version runs Qwen 3 and Llama models, SmolLM2 among them, on its own engine."),
    ([], ["What licence does adam have?", "Is adam free?", "Is adam open source?", "Under which licence is adam?"],
     "adam is free software under the Apache License 2.0."),
    ([], ["Which language is adam written in?", "Is adam written in Python?", "Is adam written in C?", "Does adam need Python?"],
     "adam is written in C17. It needs no Python to build or to run."),
]
OTHER_ANSWER = ("I am only a very small demo model and do not know that. Try a real model, for example: adam run smollm2 \"your question\"")
OTHER = ["What is the capital of {p}?", "Who was {n}?", "Write a poem about {t}.", "Write a story about {t}.", "What is {a} plus {b}?", "How tall is {n}?",
         "Explain {t}.", "Why is {t} important?", "Translate {t} into {l}.", "Tell me a joke about {t}.", "What is the weather in {p}?", "When was {n} born?",
         "How do I cook {f}?", "How do I bake {f}?", "Give me a recipe for {f}.", "What is the meaning of {t}?", "Who won the match in {p}?", "Where is {p}?",
         "Write a Python program about {t}.", "Summarise the history of {p}.", "Is {f} healthy?", "What colour is {t}?", "How far is {p}?", "Do you like {f}?"]
WORDS = dict(p="France Spain Japan Peru Kenya Norway Berlin Paris Rome Chile India Egypt Texas Canada Vienna Oslo Madrid Boston".split(),
             n="Einstein,Mozart,Cleopatra,Newton,Napoleon,Ada Lovelace,Shakespeare,Galileo,Darwin,Mount Everest,the Eiffel tower".split(","),
             t="love,rain,the sea,a robot,gravity,time,the moon,winter,a cat,history,music,autumn,light,a dragon,quantum physics,photosynthesis,black holes,the sky,freedom".split(","),
             f="rice,bread,soup,pasta,an apple pie,pizza,fish,a cake,beans,potatoes".split(","), l="German French Spanish Latin Japanese Polish".split(),
             a=[str(i) for i in range(1, 60)], b=[str(i) for i in range(1, 60)])
FORMS = ["How do I {g}?", "How can I {g}?", "How to {g}?", "how do i {g}", "how to {g}", "What is the command to {g}?", "I want to {g}.", "Can I {g}?", "Can adam {g}?",
         "Tell me how to {g}.", "Show me how to {g}.", "How do I {g} with adam?", "How can I {g} in adam?", "Please explain how to {g}.", "What do I type to {g}?",
         "I would like to {g}", "Which command lets me {g}?", "Is it possible to {g}?", "what should I do to {g}?", "{g}", "Help me {g}.", "How would I {g}?", "How does one {g}?",
         "In adam, how do I {g}?", "Which option do I need to {g}?"]
SYSTEMS = ["You are a helpful assistant.", "You are demo, a small model that ships with adam.", "Answer briefly.", "You help people who use adam.", "Be concise and friendly."]


def phrasings():
    """(question, answer, held_out): a tenth of the phrasings, chosen by a fixed seed, is held out of training."""
    rng, out = random.Random(7), []
    for goals, whole, answer in FACTS:
        questions = [f.format(g=g) for g in goals for f in FORMS]
        for w in whole:
            out += [(w, answer, False), (w.lower().rstrip("?."), answer, False)]
            questions += [w.rstrip("?."), "Please tell me: " + w, w + " Please answer.", "adam: " + w]
        out += [(q, answer, rng.random() < 0.1) for q in questions]
    return out


def other(rng):
    return rng.choice(OTHER).format(**{k: rng.choice(v) for k, v in WORDS.items()})


def vary(question, rng):
    """Small accidents of real typing: case, missing punctuation, one typo."""
    r = rng.random()
    if r < 0.15: question = question.lower()
    elif r < 0.25: question = question.rstrip("?.!")
    elif r < 0.32 and len(question) > 8:
        i = rng.randrange(1, len(question) - 2)
        question = question[:i] + question[i + 1:] if rng.random() < 0.5 else question[:i] + question[i + 1] + question[i] + question[i + 2:]
    elif r < 0.36: question = "Please: " + question
    return question


def dialogue(rng, train):
    messages = [("system", rng.choice(SYSTEMS))] if rng.random() < 0.15 else []
    for _ in range(2 if rng.random() < 0.2 else 1):
        question, answer = (other(rng), OTHER_ANSWER) if rng.random() < 0.1 else rng.choice(train)
        messages += [("user", vary(question, rng)), ("assistant", answer)]
    return messages


def make_tokenizer(train):
    from tokenizers import Tokenizer, Regex, models, normalizers, pre_tokenizers, decoders, trainers, processors
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder, tok.post_processor = decoders.ByteLevel(), processors.ByteLevel(trim_offsets=False)
    rng = random.Random(3)
    texts = [t for q, a in train for t in (q, a)] + [other(rng) for _ in range(2000)]
    tok.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1536, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tok


def encode(tok, messages):
    """ids and, for each, whether it is part of an answer and so trained."""
    ids, mask, start, end = [], [], tok.token_to_id("<|im_start|>"), tok.token_to_id("<|im_end|>")
    newline = tok.encode("\n").ids
    for role, text in messages:
        head = [start] + tok.encode(role + "\n").ids
        body = tok.encode(text).ids + [end]
        ids += head + body + newline
        mask += [0] * len(head) + [int(role == "assistant")] * len(body) + [0] * len(newline)
    return ids, mask


def save(model, tok, out):
    import torch
    from transformers import PreTrainedTokenizerFast
    model.to(torch.bfloat16).save_pretrained(out)
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=1024, clean_up_tokenization_spaces=False)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(out)
    json.dump(dict(bos_token_id=None, eos_token_id=[tok.token_to_id("<|im_end|>"), tok.token_to_id("<|endoftext|>")], pad_token_id=tok.token_to_id("<|endoftext|>"),
                   do_sample=True, temperature=0.3, top_p=0.9), open(os.path.join(out, "generation_config.json"), "w"), indent=2)


def check(out):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    model, tok = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(out)
    held = [(q, a) for q, a, h in phrasings() if h]
    right = 0
    for q, a in held:
        text = tok.apply_chat_template([{"role": "user", "content": q}], tokenize=False, add_generation_prompt=True)
        ids = tok(text, return_tensors="pt", add_special_tokens=False)
        got = tok.decode(model.generate(**ids, max_new_tokens=80, do_sample=False)[0][ids["input_ids"].shape[1]:], skip_special_tokens=True)
        right += got == a
        if got != a: print("MISS", q, "->", got)
    print(f"held-out questions answered exactly: {right} of {len(held)}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out"); p.add_argument("--steps", type=int, default=2600); p.add_argument("--threads", type=int, default=2); p.add_argument("--check", action="store_true")
    o = p.parse_args()
    if o.check: return check(o.out)
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM
    torch.manual_seed(1); torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)  # the loss ends near 1e-4: denormal gradients would make the last steps four times slower
    train = [(q, a) for q, a, held in phrasings() if not held]
    tok = make_tokenizer(train)
    vocab = tok.get_vocab_size()
    config = Qwen3Config(vocab_size=vocab, hidden_size=160, intermediate_size=448, num_hidden_layers=4, num_attention_heads=6, num_key_value_heads=2, head_dim=32,
                         max_position_embeddings=1024, rope_theta=10000.0, tie_word_embeddings=True, rms_norm_eps=1e-6, dtype="bfloat16",
                         bos_token_id=None, eos_token_id=tok.token_to_id("<|im_end|>"), pad_token_id=tok.token_to_id("<|endoftext|>"))
    model = Qwen3ForCausalLM(config).float()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(train):,} phrasings, vocabulary {vocab}", flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=o.steps, pct_start=0.08)
    rng = random.Random(5)
    for step in range(o.steps):
        rows = sorted((encode(tok, dialogue(rng, train)) for _ in range(40)), key=lambda r: len(r[0]))[:38]
        width = max(len(r[0]) for r in rows)
        ids = torch.tensor([r[0] + [0] * (width - len(r[0])) for r in rows])
        labels = torch.tensor([[i if m else -100 for i, m in zip(*r)] + [-100] * (width - len(r[0])) for r in rows])
        loss = torch.nn.functional.cross_entropy(model(input_ids=ids).logits[:, :-1].reshape(-1, vocab), labels[:, 1:].reshape(-1), ignore_index=-100)
        optimizer.zero_grad(); loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0); optimizer.step(); schedule.step()
        if step % 100 == 99: print(step + 1, f"{loss.item():.4f}", flush=True)
    save(model, tok, o.out)
    check(o.out)


main()
