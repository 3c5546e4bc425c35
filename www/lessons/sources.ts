// What the lessons link to.

import type { Source } from "./lesson.js";

export const ELHAGE: Source = {
  title: "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits",
  href: "https://transformer-circuits.pub/2021/framework/index.html",
};

export const OLSSON: Source = {
  title: "Olsson et al. 2022, In-context Learning and Induction Heads",
  href: "https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads/index.html",
};

export const WANG: Source = {
  title:
    "Wang et al. 2022, Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small",
  href: "https://arxiv.org/abs/2211.00593",
};

export const NOSTALGEBRAIST: Source = {
  title: "nostalgebraist 2020, interpreting GPT: the logit lens",
  href: "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens",
};

export const BELROSE: Source = {
  title: "Belrose et al. 2023, Eliciting Latent Predictions from Transformers with the Tuned Lens",
  href: "https://arxiv.org/abs/2303.08112",
};

export const MENG: Source = {
  title: "Meng et al. 2022, Locating and Editing Factual Associations in GPT",
  href: "https://arxiv.org/abs/2202.05262",
};

export const NANDA: Source = {
  title: "Nanda 2023, Attribution Patching: Activation Patching At Industrial Scale",
  href: "https://www.neelnanda.io/mechanistic-interpretability/attribution-patching",
};

export const TURNER: Source = {
  title: "Turner et al. 2023, Steering Language Models With Activation Engineering",
  href: "https://arxiv.org/abs/2308.10248",
};
