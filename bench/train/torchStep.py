"""PyTorch's contestant: the same training step as ours (docs/method.md), in eager mode, written from the equations.

It prints the losses of its first steps as a line of JSON, then the times of N steps in ms for each line N that it reads.

    python bench/train/torchStep.py FOLDER THREADS STEPS
"""

import json
import math
import struct
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

RELATIONS = 6


def load(path):
    """The float32 tensors of a safetensors file by name."""
    data = bytearray(Path(path).read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, count=(end - start) // 4, offset=8 + length + start)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors


class Step:
    def __init__(self, folder):
        self.case = json.loads((folder / "case.json").read_text())
        config = json.loads((folder / "model" / "config.json").read_text())
        self.heads = config["vision_config"]["num_attention_heads"]
        self.blocks = config["vision_config"]["num_hidden_layers"]
        weights = load(folder / "model" / "model.safetensors")
        trained = ("vision_model.encoder.", "vision_model.post_layernorm.", "visual_projection.", "head.")
        self.w = {name: value.requires_grad_() for name, value in weights.items() if name.startswith(trained)}
        inputs = load(folder / "inputs.safetensors")
        self.hidden, self.still = inputs["hidden"], inputs["global"]
        self.text, self.labels = inputs["text"], inputs["labels"]
        self.read_edges(inputs["edges"])
        # A positive of an image at a time: its image and its category.
        self.of_image, self.present = (self.labels > 0).nonzero(as_tuple=True)
        self.absent = self.labels < 0
        rates, adamw = self.case["rates"], self.case["adamw"]
        head = [value for name, value in self.w.items() if name.startswith("head.")]
        encoder = [value for name, value in self.w.items() if not name.startswith("head.")]
        self.optimizer = torch.optim.AdamW(
            [{"params": encoder, "lr": rates["encoder"]}, {"params": head, "lr": rates["head"]}],
            betas=(adamw["beta1"], adamw["beta2"]),
            eps=adamw["epsilon"],
            weight_decay=adamw["weightDecay"],
            fused=True,
        )

    def read_edges(self, edges):
        categories = len(self.text)
        own = torch.arange(categories)
        self.source = torch.cat([own, edges[:, 0].long()])
        self.target = torch.cat([own, edges[:, 1].long()])
        relation = torch.cat([torch.zeros(categories, dtype=torch.long), edges[:, 2].long()])
        strength = torch.cat([torch.ones(categories), edges[:, 3]])
        self.edge_features = torch.cat([F.one_hot(relation, RELATIONS).float(), strength[:, None]], 1)

    def linear(self, x, name):
        return F.linear(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"))

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-5)

    def block(self, x, name):
        def per_head(y):
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        y = self.norm(x, f"{name}.layer_norm1")
        q, k, v = (per_head(self.linear(y, f"{name}.self_attn.{part}_proj")) for part in "qkv")
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.linear(mixed, f"{name}.self_attn.out_proj")
        y = self.linear(self.norm(x, f"{name}.layer_norm2"), f"{name}.mlp.fc1")
        return x + self.linear(y * torch.sigmoid(1.702 * y), f"{name}.mlp.fc2")

    @torch.no_grad()
    def choose(self, patches):
        """The patches of each category, 0 or 1: by falling probability, until those before reach alpha."""
        probability = F.softmax(self.text @ patches.transpose(1, 2) / self.case["tau"], -1)
        best, index = probability.topk(min(self.case["cap"], probability.shape[-1]))
        kept = (best.cumsum(-1) - best < self.case["alpha"]).float()
        return torch.zeros_like(probability).scatter_(-1, index, kept)

    def attend(self, from_source, to_target, name):
        """GATv2: both [B, C, d] -> messages [B, C, d]."""
        batch, categories, d = from_source.shape
        att = self.w[f"{name}.att"]
        values = from_source[:, self.source]
        edge = self.linear(self.edge_features, f"{name}.lin_edge")
        e = F.leaky_relu(values + to_target[:, self.target] + edge, 0.2).unflatten(-1, att.shape)
        logits = (e * att).sum(-1)  # [B, E, heads]
        index = self.target[None, :, None].expand_as(logits)
        highest = logits.detach().new_full((batch, categories, len(att)), -math.inf)
        highest = highest.scatter_reduce(1, index, logits.detach(), "amax")
        weight = (logits - highest[:, self.target]).exp()
        total = torch.zeros_like(highest).index_add(1, self.target, weight)
        share = weight / total[:, self.target]
        message = (share[..., None] * values.unflatten(-1, att.shape)).flatten(2)
        gathered = torch.zeros(batch, categories, d).index_add(1, self.target, message)
        return gathered + self.w[f"{name}.bias"]

    def anchored(self, h, name):
        score = 10 * (F.normalize(h, dim=-1) * self.text).sum(-1, keepdim=True)
        source = self.linear(h, f"{name}.lin_l") + self.linear(score, f"{name}.lin_score")
        message = self.attend(source, self.linear(h, f"{name}.lin_r"), name)
        return h + (F.gelu(message) @ self.w[f"{name}.v"])[..., None] * self.text

    def loss(self):
        x = self.hidden
        for layer in range(self.blocks):
            x = self.block(x, f"vision_model.encoder.layers.{layer}")
        x = self.linear(self.norm(x, "vision_model.post_layernorm"), "visual_projection")
        tokens = F.normalize(x, dim=-1)
        whole, patches = tokens[:, 0], tokens[:, 1:]
        keep = self.choose(patches)
        local = F.normalize(keep @ patches / keep.sum(-1, keepdim=True), dim=-1)
        h = (local + whole[:, None]) / 2
        for layer in range(self.case["layers"]):
            h = self.anchored(h, f"head.gat.{layer}")
        scores = (F.normalize(h, dim=-1) * self.text).sum(-1)
        settings = self.case["loss"]
        return self.ranking(scores, settings) + settings["distillation"] * (whole - self.still).square().sum(-1).mean()

    def ranking(self, scores, settings):
        rows = scores[self.of_image]  # [positives, C]
        own = scores[self.of_image, self.present][:, None]
        violation = (settings["margin"] + settings["scale"] * (rows - own)).clamp_min(0)
        violation = violation * self.absent[self.of_image]
        per_image = torch.zeros(len(scores))
        total = per_image.index_add(0, self.of_image, violation.sum(-1))
        count = per_image.index_add(0, self.of_image, (violation.detach() > 0).float().sum(-1))
        return (total / (count + 1e-8)).mean()

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main():
    folder, threads, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    step = Step(folder)
    print(json.dumps({"losses": [step.run() for _ in range(steps)]}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            started = time.perf_counter()
            step.run()
            times.append(1000 * (time.perf_counter() - started))
        print(json.dumps(times), flush=True)


main()
