# SPDX-License-Identifier: Apache-2.0
"""A model that says a fixed text, for tests of what a server does with answers: each token's embedding is a unit vector,
attention and feed-forward add nothing, and the output's rows say which token follows. Needs the packages gguf and numpy."""
import gguf
import numpy as np

WIDTH, START = 384, "<|go|>"


def write(path, pieces, n_ctx=8192):
    """Behind START it says each of `pieces` (all different) once, and ends; behind anything else the same text begins."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + [START, "<|end|>"] + pieces
    assert len(set(tokens)) == len(tokens) <= WIDTH
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL] + [gguf.TokenType.BYTE] * 256
    kinds += [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.USER_DEFINED] * len(pieces)
    n, start = len(tokens), tokens.index(START)
    following = np.full(n, start + 2)
    following[start + 2:n] = list(range(start + 3, n)) + [2]
    embeddings, output = np.zeros((n, WIDTH), np.float32), np.zeros((n, WIDTH), np.float32)
    embeddings[np.arange(n), np.arange(n)] = 1
    output[following, np.arange(n)] = 1
    w = gguf.GGUFWriter(str(path), "llama")
    for add, value in ((w.add_context_length, n_ctx), (w.add_embedding_length, WIDTH), (w.add_block_count, 1), (w.add_feed_forward_length, 64),
                       (w.add_head_count, 12), (w.add_head_count_kv, 12), (w.add_layer_norm_rms_eps, 1e-6), (w.add_rope_dimension_count, 32),
                       (w.add_vocab_size, n), (w.add_file_type, 0), (w.add_tokenizer_model, "llama"), (w.add_token_list, tokens),
                       (w.add_token_scores, [0.0] * n), (w.add_token_types, [int(k) for k in kinds]), (w.add_bos_token_id, 1),
                       (w.add_eos_token_id, 2), (w.add_add_bos_token, False), (w.add_add_space_prefix, False)):
        add(value)
    w.add_tensor("token_embd.weight", embeddings)
    w.add_tensor("output.weight", output)
    w.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for name, shape in (("attn_norm", None), ("ffn_norm", None), ("attn_q", WIDTH), ("attn_k", WIDTH), ("attn_v", WIDTH), ("attn_output", WIDTH),
                        ("ffn_gate", 64), ("ffn_up", 64)):
        w.add_tensor(f"blk.0.{name}.weight", np.ones(WIDTH, np.float32) if shape is None else np.zeros((shape, WIDTH), np.float32))
    w.add_tensor("blk.0.ffn_down.weight", np.zeros((WIDTH, 64), np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
