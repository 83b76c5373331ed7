"""Fine-tuned adapters: from human labels to a promoted LoRA that labels notes."""
