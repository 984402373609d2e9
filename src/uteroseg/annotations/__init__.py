"""An annotation file of any kind: its regions, whom and what it belongs to, its mask on a study's grid."""
