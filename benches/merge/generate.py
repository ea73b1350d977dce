"""Makes a base model and two experts of LLaMA's form, of about 2 GB each, with drawn weights.

usage: python generate.py FOLDER [--layers 8] [--dtype float32]

The experts differ from the base by a tenth of its standard deviation. Each model has the `config.json` that mergekit wants.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

HIDDEN, INNER, VOCABULARY, HEADS = 2048, 5504, 32000, 16


def shapes(layers):
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    for layer in range(layers):
        at = f"model.layers.{layer}"
        for name in ["q_proj", "k_proj", "v_proj", "o_proj"]:
            yield f"{at}.self_attn.{name}.weight", (HIDDEN, HIDDEN)
        yield f"{at}.mlp.gate_proj.weight", (INNER, HIDDEN)
        yield f"{at}.mlp.up_proj.weight", (INNER, HIDDEN)
        yield f"{at}.mlp.down_proj.weight", (HIDDEN, INNER)
        yield f"{at}.input_layernorm.weight", (HIDDEN,)
        yield f"{at}.post_attention_layernorm.weight", (HIDDEN,)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCABULARY, HIDDEN)


def config(layers, dtype):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": INNER,
        "vocab_size": VOCABULARY, "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "num_hidden_layers": layers,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "hidden_act": "silu", "tie_word_embeddings": False,
        "torch_dtype": dtype,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    options = parser.parse_args()
    dtype = getattr(torch, options.dtype)
    for number, name in enumerate(["base", "one", "other"]):
        model = {}
        for index, (tensor, shape) in enumerate(shapes(options.layers)):
            draw = lambda seed: torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.02
            weights = draw(index)
            if number:
                weights += 0.1 * draw(10_000 * number + index)
            model[tensor] = weights.to(dtype)
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file(model, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(config(options.layers, options.dtype), indent=2))
        print(folder, sum(tensor.nbytes for tensor in model.values()) / 1e9, "GB", flush=True)


main()
