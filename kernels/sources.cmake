# Every kernel source; products.cu and solver.cu, which call cuBLASLt and cuSOLVER, stand apart: the host's shim has its own.
set(INCIPIT_KERNEL_SOURCES
  cuda_device.cu
  launch.cu
  memory.cu
  activation_sum.cu
  add_bias.cu
  attention.cu
  attention_half.cu
  bias_activation.cu
  count_nonfinite.cu
  cross_covariance.cu
  double_layer_norm.cu
  draw_resampling.cu
  embed_tokens.cu
  encode_top_k.cu
  full_attention.cu
  gather_centred.cu
  gather_rows.cu
  latent_groups.cu
  latent_histogram.cu
  matmul.cu
  next_token_loss.cu
  pool_rows.cu
  qr_of_transpose.cu
  rank_scores.cu
  resample_auc.cu
  resample_counts.cu
  resample_latents.cu
  rotary_split.cu
  sae_adam.cu
  sae_auxiliary.cu
  sae_dead.cu
  sae_decode.cu
  sae_gradient.cu
  sae_loss.cu
  set_maximum.cu
  svd.cu
  upload_numbers.cu)

# incipit_bundle_kernels(NAME EXTENSION SOURCE...): sets NAME to files that include the sources, eight each, as CMake's
# UNITY_BUILD does, which CMake 3.25 has not for CUDA. Most of a source's time goes to what all of them include:
# together they take a third. So their names in anonymous namespaces differ.
function(incipit_bundle_kernels name extension)
  set(each 8)
  list(LENGTH ARGN count)
  math(EXPR last "${count} - 1")
  set(bundles)
  foreach(first RANGE 0 ${last} ${each})
    list(SUBLIST ARGN ${first} ${each} sources)
    list(TRANSFORM sources REPLACE "(.+)" "#include \"\\1\"\n")
    list(JOIN sources "" content)
    math(EXPR number "${first} / ${each}")
    set(bundle ${CMAKE_CURRENT_BINARY_DIR}/${name}_${number}.${extension})
    file(CONFIGURE OUTPUT ${bundle} CONTENT "${content}" @ONLY)
    list(APPEND bundles ${bundle})
  endforeach()
  set(${name} ${bundles} PARENT_SCOPE)
endfunction()
