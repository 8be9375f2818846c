/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer/spm: BPE driven by the scores of the words, as llama.cpp does it for the vocabularies that
 * a GGUF calls "llama": of all neighbours that together are a word, those with the best score are
 * joined first, the leftmost of equals. What is no word in the end becomes its bytes. Unlike in rank BPE
 * a character that is no word can still be joined. Immutable after bind. */
#ifndef AM_TOKENIZER_SPM_H
#define AM_TOKENIZER_SPM_H

#include "tokenizer/bpe.h"
#include "tokenizer/char_ids.h"

/* A symbol is the id of a word; or n_ids + k, the k-th of the characters that are no words but parts of
 * some; or AM_SPM_FOREIGN | code point, which joins with nothing. */
#define AM_SPM_FOREIGN 0x80000000u

typedef struct am_spm {
  am_bpe bpe;          /* merges, priorities, chars, cuts */
  const uint32_t *odd; /* (n_odd) ascending code points */
  size_t n_odd, n_ids;
} am_spm;

#define AM_SPM_TAG_MERGES AM_IMAGE_TAG('S', 'M', 'E', 'R')
#define AM_SPM_TAG_PRIORITIES AM_IMAGE_TAG('S', 'P', 'R', 'I')
#define AM_SPM_TAG_ODD AM_IMAGE_TAG('S', 'O', 'D', 'D')
#define AM_SPM_TAG_INFO AM_IMAGE_TAG('S', 'I', 'N', 'F')

adam_status am_spm_build(const am_model_source *source, const am_vocabulary *vocabulary,
                         am_image_writer *writer, adam_error *error);
adam_status am_spm_bind(const am_image *image, const am_json *settings, am_model *model, adam_error *error);

#endif
