# Every kernel source; products.cu and solver.cu, which call cuBLAS and cuSOLVER, stand apart: the host's shim
# has its own.
set(INCIPIT_KERNEL_SOURCES
  cuda_device.cu
  launch.cu
  memory.cu
  add_bias.cu
  attention.cu
  bias_activation.cu
  count_nonfinite.cu
  cross_covariance.cu
  double_layer_norm.cu
  encode_top_k.cu
  gather_centred.cu
  gather_rows.cu
  matmul.cu
  next_token_loss.cu
  qr_of_transpose.cu
  rotary_split.cu
  sae_adam.cu
  sae_auxiliary.cu
  sae_dead.cu
  sae_decode.cu
  sae_gradient.cu
  sae_loss.cu
  svd.cu)
