/* Whisper's tokenizer: what stands before a transcript (OpenAI 2022; names of languages: github.com/openai/whisper). */
#include <stdio.h>

#include "text/tokenizer_int.h"

enum { PREFIX_MAX = 4, NAME_BYTES = 32 };

static const struct {
    const char *code, *name;
} languages[] = {
    { "en", "english" }, { "zh", "chinese" }, { "de", "german" }, { "es", "spanish" }, { "ru", "russian" },
    { "ko", "korean" }, { "fr", "french" }, { "ja", "japanese" }, { "pt", "portuguese" }, { "tr", "turkish" },
    { "pl", "polish" }, { "ca", "catalan" }, { "nl", "dutch" }, { "ar", "arabic" }, { "sv", "swedish" }, { "it", "italian" },
    { "id", "indonesian" }, { "hi", "hindi" }, { "fi", "finnish" }, { "vi", "vietnamese" }, { "he", "hebrew" },
    { "uk", "ukrainian" }, { "el", "greek" }, { "ms", "malay" }, { "cs", "czech" }, { "ro", "romanian" }, { "da", "danish" },
    { "hu", "hungarian" }, { "ta", "tamil" }, { "no", "norwegian" }, { "th", "thai" }, { "ur", "urdu" }, { "hr", "croatian" },
    { "bg", "bulgarian" }, { "lt", "lithuanian" }, { "la", "latin" }, { "mi", "maori" }, { "ml", "malayalam" },
    { "cy", "welsh" }, { "sk", "slovak" }, { "te", "telugu" }, { "fa", "persian" }, { "lv", "latvian" }, { "bn", "bengali" },
    { "sr", "serbian" }, { "az", "azerbaijani" }, { "sl", "slovenian" }, { "kn", "kannada" }, { "et", "estonian" },
    { "mk", "macedonian" }, { "br", "breton" }, { "eu", "basque" }, { "is", "icelandic" }, { "hy", "armenian" },
    { "ne", "nepali" }, { "mn", "mongolian" }, { "bs", "bosnian" }, { "kk", "kazakh" }, { "sq", "albanian" },
    { "sw", "swahili" }, { "gl", "galician" }, { "mr", "marathi" }, { "pa", "punjabi" }, { "si", "sinhala" },
    { "km", "khmer" }, { "sn", "shona" }, { "yo", "yoruba" }, { "so", "somali" }, { "af", "afrikaans" }, { "oc", "occitan" },
    { "ka", "georgian" }, { "be", "belarusian" }, { "tg", "tajik" }, { "sd", "sindhi" }, { "gu", "gujarati" },
    { "am", "amharic" }, { "yi", "yiddish" }, { "lo", "lao" }, { "uz", "uzbek" }, { "fo", "faroese" },
    { "ht", "haitian creole" }, { "ps", "pashto" }, { "tk", "turkmen" }, { "nn", "nynorsk" }, { "mt", "maltese" },
    { "sa", "sanskrit" }, { "lb", "luxembourgish" }, { "my", "myanmar" }, { "bo", "tibetan" }, { "tl", "tagalog" },
    { "mg", "malagasy" }, { "as", "assamese" }, { "tt", "tatar" }, { "haw", "hawaiian" }, { "ln", "lingala" },
    { "ha", "hausa" }, { "ba", "bashkir" }, { "jw", "javanese" }, { "su", "sundanese" }, { "yue", "cantonese" },
    /* other names */
    { "my", "burmese" }, { "ca", "valencian" }, { "nl", "flemish" }, { "ht", "haitian" }, { "lb", "letzeburgesch" },
    { "ps", "pushto" }, { "pa", "panjabi" }, { "ro", "moldavian" }, { "ro", "moldovan" }, { "si", "sinhalese" },
    { "es", "castilian" }, { "zh", "mandarin" },
};

static bool is_same_word(struct str s, const char *word)
{
    size_t i = 0;
    for (; i < s.n && word[i]; i++)
        if ((s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 'a' - 'A' : s.p[i]) != word[i]) return false;
    return i == s.n && !word[i];
}

/* A language may be said by its code or its name. */
static const char *language_code(struct str s)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (is_same_word(s, languages[i].code) || is_same_word(s, languages[i].name)) return languages[i].code;
    return NULL;
}

struct prefix {
    int32_t id[PREFIX_MAX];
    size_t  n;
};

/* Appends <|name|>. */
static int prefix_put(const struct tokenizer *t, struct prefix *p, const char *name, struct hearth_error *err)
{
    char token[NAME_BYTES];
    const int n = snprintf(token, sizeof token, "<|%s|>", name);
    const int32_t id = tokenizer_find(t, (struct str){ token, (size_t)n });
    if (id < 0) return fail(err, HEARTH_E_FORMAT, "a Whisper vocabulary without \"%s\"", token);
    p->id[p->n++] = id;
    return 0;
}

int whisper_setup(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    struct prefix p = { 0 };
    const char *const language = language_code(h->language);
    int status = byte_level_setup(t, err);
    tokenizer_roles(t, h);
    if (status) return status;
    if (t->eos < 0) return fail(err, HEARTH_E_FORMAT, "a Whisper vocabulary without its end token");
    if (h->language.n && !language)
        return fail(err, HEARTH_E_FORMAT, "Whisper does not know the language \"%.*s\"", STR_ARG(h->language));
    if (h->task.n && !str_is(h->task, "translate") && !str_is(h->task, "transcribe"))
        return fail(err, HEARTH_E_FORMAT, "Whisper does not know the task \"%.*s\"", STR_ARG(h->task));
    status = prefix_put(t, &p, "startoftranscript", err);
    if (!status && language) status = prefix_put(t, &p, language, err);
    if (!status && h->task.n) status = prefix_put(t, &p, str_is(h->task, "translate") ? "translate" : "transcribe", err);
    if (!status && h->timestamps != 1) status = prefix_put(t, &p, "notimestamps", err);
    return status ? status : post_start_end(t, p.id, p.n, t->eos, err);
}
